import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SettingsError, parseSettings, runtimeSettings, settingsTypes } from './settings.ts'
import type { Environment } from './settings.ts'

const schema = z.object({
  ...runtimeSettings,
  TOPICS: settingsTypes.list,
  PORT: settingsTypes.port.default(3001),
  BATCH_SIZE: settingsTypes.wholeNumber({ min: 1 }).default(5),
  TIMEOUT_MS: settingsTypes.durationMs.optional(),
  TLS: settingsTypes.flag.default(false),
  DB_PASSWORD: z.string().min(8).optional(),
  DB_URL: z.url({ protocol: /^mysql$/ }).optional(),
  LICENCE: settingsTypes.secret.max(4).optional(),
  FROM: z.enum(['earliest', 'latest']),
})

const required = { TOPICS: 'user', FROM: 'earliest' }

function messageFor(environment: Environment): string {
  try {
    parseSettings(schema, environment)
  } catch (error) {
    if (error instanceof SettingsError) return error.message
    throw error
  }
  return 'no error'
}

test('defaults hold for everything that is not set', () => {
  expect(parseSettings(schema, required)).toEqual({
    LOG_LEVEL: 'info',
    PROBE_PORT: 0,
    PROBE_HOST: '127.0.0.1',
    SHUTDOWN_TIMEOUT_MS: 25_000,
    TOPICS: ['user'],
    FROM: 'earliest',
    PORT: 3001,
    BATCH_SIZE: 5,
    TLS: false,
  })
})

test('an empty string counts as not set', () => {
  const settings = parseSettings(schema, { ...required, PORT: '', TLS: '', TIMEOUT_MS: '', LOG_LEVEL: '' })
  expect(settings).toMatchObject({ PORT: 3001, TLS: false, LOG_LEVEL: 'info' })
  expect(settings).not.toHaveProperty('TIMEOUT_MS')
})

describe('text becomes a value', () => {
  test.each<[string, string, unknown]>([
    ['PORT', '8080', 8080],
    ['PORT', ' 0 ', 0],
    ['TIMEOUT_MS', '2147483647', 2_147_483_647],
    ['TLS', 'true', true],
    ['TLS', 'false', false],
    ['TLS', '0', false],
    ['TLS', 'yes', true],
    ['TOPICS', 'user', ['user']],
    ['TOPICS', 'user, family ,coworker', ['user', 'family', 'coworker']],
  ])('%s=%j', (key, text, value) => {
    expect(parseSettings(schema, { ...required, [key]: text })).toHaveProperty(key, value)
  })
})

describe('text that is no value is refused, with what it was', () => {
  test.each<[string, string, string]>([
    ['PORT', 'abc', 'must be a whole number from 0 to 65535 (was "abc")'],
    ['PORT', '65536', 'must be a whole number from 0 to 65535 (was "65536")'],
    ['PORT', '-1', 'must be a whole number from 0 to 65535 (was "-1")'],
    ['PORT', '80.5', 'must be a whole number from 0 to 65535 (was "80.5")'],
    ['PORT', '1e3', 'must be a whole number from 0 to 65535 (was "1e3")'],
    ['PORT', ' ', 'must be a whole number from 0 to 65535 (was " ")'],
    ['BATCH_SIZE', '0', 'must be a whole number, at least 1 (was "0")'],
    ['TIMEOUT_MS', '2147483648', 'must be a whole number from 0 to 2147483647 (was "2147483648")'],
    ['TLS', 'maybe', 'must be true or false (was "maybe")'],
    ['TOPICS', 'user,,family', 'must be a list such as a,b,c without empty places (was "user,,family")'],
    ['TOPICS', ' ', 'must be a list such as a,b,c without empty places (was " ")'],
  ])('%s=%j', (key, text, problem) => {
    expect(messageFor({ ...required, [key]: text })).toBe(`a setting is wrong\n  ${key}  ${problem}`)
  })
})

test('all bad keys are in one message, one line each', () => {
  const message = messageFor({ PORT: 'abc', LOG_LEVEL: 'loud', TLS: 'maybe' })
  expect(message.split('\n')).toEqual([
    'settings are wrong',
    expect.stringMatching(/^ {2}LOG_LEVEL {2}must be one of trace, .*, info, .* \(was "loud"\)$/),
    '  TOPICS     is not set',
    '  PORT       must be a whole number from 0 to 65535 (was "abc")',
    '  TLS        must be true or false (was "maybe")',
    '  FROM       is not set',
  ])
})

test('the error names the keys', () => {
  expect(() => parseSettings(schema, { PORT: 'abc' })).toThrow(
    expect.objectContaining({ name: 'SettingsError', keys: ['TOPICS', 'PORT', 'FROM'] }),
  )
})

describe('no message holds a secret', () => {
  test.each<[string, Environment]>([
    ['a key that says so', { DB_PASSWORD: 'hunter2' }],
    ['a type that is marked', { LICENCE: 'hunter2' }],
    ['the password within a URL', { DB_URL: 'http://root:hunter2@db:3306' }],
  ])('%s', (_name, environment) => {
    const message = messageFor({ ...required, ...environment })
    expect(message).toContain(Object.keys(environment)[0])
    expect(message).not.toContain('hunter2')
  })
})

test('what one key alone cannot know is said at the key it is about', () => {
  const together = z
    .object({ USER: z.string().optional(), PASSWORD: z.string().optional() })
    .superRefine(({ USER, PASSWORD }, context) => {
      if (USER !== undefined && PASSWORD === undefined) {
        context.addIssue({ code: 'custom', path: ['PASSWORD'], message: 'is required by USER' })
      }
    })
  expect(() => parseSettings(together, { USER: 'ada' })).toThrow(
    'a setting is wrong\n  PASSWORD  is required by USER (not set)',
  )
})
