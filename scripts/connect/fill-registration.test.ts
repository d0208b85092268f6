import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryDir } from '../repository.ts'
import { fillRegistration } from './fill-registration.ts'

const template = JSON.stringify({
  name: '${CONNECTOR_NAME}',
  config: {
    'database.password': '${MYSQL_PASSWORD}',
    'database.server.id': '${SERVER_ID}',
    'topic.replacement': 'outbox.event.${routedByValue}',
    secret: '${file:/run/secrets/db:password}',
  },
})

describe('a registration', () => {
  test('is named after its file, and its values may hold whatever JSON would have to escape', () => {
    const { name, config } = fillRegistration('cdc', template, { MYSQL_PASSWORD: 'a"b\\c$&' })
    expect(name).toBe('cdc')
    expect(config['database.password']).toBe('a"b\\c$&')
  })

  test("keeps the placeholders that are Kafka Connect's own", () => {
    const { config } = fillRegistration('cdc', template, { MYSQL_PASSWORD: '' })
    expect(config['topic.replacement']).toBe('outbox.event.${routedByValue}')
    expect(config.secret).toBe('${file:/run/secrets/db:password}')
  })

  test('has a server id of its own for each name, the same every time', () => {
    expect(idOf('cdc')).toBe(idOf('cdc'))
    expect(idOf('cdc')).not.toBe(idOf('outbox'))
    for (const name of ['cdc', 'outbox', 'other']) {
      expect(idOf(name)).toBeGreaterThanOrEqual(2 ** 31)
      expect(idOf(name)).toBeLessThan(2 ** 32)
    }
  })

  test("takes overrides in the place of the file's values", () => {
    const overrides = { 'database.password': 'other', 'poll.interval.ms': '10' }
    expect(fillRegistration('cdc', template, { MYSQL_PASSWORD: '' }, overrides).config).toMatchObject(
      overrides,
    )
  })

  test('without all its values is refused, with what is missing', () => {
    expect(() => fillRegistration('cdc', template, {})).toThrow(
      'infra/connect/cdc.json needs values for MYSQL_PASSWORD.',
    )
  })
})

test.each(['cdc', 'outbox'])('infra/connect/%s.json needs only what both runtimes know', file => {
  const text = readFileSync(join(repositoryDir, 'infra', 'connect', `${file}.json`), 'utf8')
  const { config } = fillRegistration(file, text, {
    CONNECTOR_CLASS: 'C',
    MYSQL_HOST: 'h',
    MYSQL_PORT: '1',
    MYSQL_USER: 'u',
    MYSQL_PASSWORD: 'p',
    MYSQL_DATABASE: 'd',
    KAFKA_BROKERS: 'b',
    KAFKA_TOPIC: 't',
  })
  expect(config['table.include.list']).toBe(`d.${file === 'cdc' ? 'users' : 'outbox'}`)
})

function idOf(name: string): number {
  return Number(fillRegistration(name, template, { MYSQL_PASSWORD: '' }).config['database.server.id'])
}
