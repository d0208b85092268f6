import { afterEach, describe, expect, test, vi } from 'vitest'
import { createLogger } from './logger.ts'

function linesOf(log: (logger: ReturnType<typeof createLogger>) => void, level: 'info' | 'warn' = 'info') {
  const lines: string[] = []
  log(createLogger({ name: 'test', level, destination: { write: line => void lines.push(line) } }))
  return lines.map((line): Record<string, unknown> => JSON.parse(line))
}

test('a line is JSON with name, level, message and fields', () => {
  const lines = linesOf(logger => logger.info({ topic: 'user' }, 'hello'))
  expect(lines).toEqual([expect.objectContaining({ name: 'test', level: 30, msg: 'hello', topic: 'user' })])
})

test('lines below the level are not written', () => {
  const lines = linesOf(logger => {
    logger.info('no')
    logger.warn('yes')
  }, 'warn')
  expect(lines).toMatchObject([{ msg: 'yes' }])
})

test('an error is written with its cause', () => {
  const error = new Error('cannot store', { cause: new Error('disk full') })
  const [line] = linesOf(logger => logger.error({ err: error }, 'failed'))
  expect(line).toMatchObject({ err: { message: 'cannot store: disk full', type: 'Error' } })
})

test.each<[string, object]>([
  ['at the top', { password: 'hunter2', KAFKA_SASL_PASSWORD: 'hunter2', MYSQL_PASSWORD: 'hunter2' }],
  ['one level down', { sasl: { username: 'u', password: 'hunter2' }, aws: { secretAccessKey: 'hunter2' } }],
  ['two levels down', { req: { headers: { authorization: 'hunter2', cookie: 'hunter2' } } }],
  ['in settings', { settings: { KAFKA_SASL_PASSWORD: 'hunter2', API_TOKEN: 'hunter2' } }],
  ['in a list', { brokers: [{ host: 'a', password: 'hunter2' }] }],
  [
    'in an error',
    { err: Object.assign(new Error('refused'), { request: { headers: { authorization: 'hunter2' } } }) },
  ],
])('secrets are not written: %s', (_name, fields) => {
  const [line] = linesOf(logger => logger.info(fields, 'a line'))
  expect(line).toMatchObject({ msg: 'a line' })
  expect(JSON.stringify(line)).not.toContain('hunter2')
  expect(JSON.stringify(line)).toContain('[redacted]')
})

test('nor by a child logger', () => {
  const [line] = linesOf(logger => logger.child({ part: 'kafka' }).info({ password: 'hunter2' }, 'a line'))
  expect(line).toMatchObject({ part: 'kafka', password: '[redacted]' })
})

test('redaction does not change what the caller logs, and copes with circles', () => {
  const fields: Record<string, unknown> = { password: 'hunter2', kept: { list: [1, 2] }, at: new Date(0) }
  fields['self'] = fields
  const [line] = linesOf(logger => logger.info(fields, 'a line'))
  expect(fields).toMatchObject({ password: 'hunter2' })
  expect(line).toMatchObject({ kept: { list: [1, 2] }, at: '1970-01-01T00:00:00.000Z' })
})

describe('on a terminal', () => {
  const isTerminal = process.stdout.isTTY
  afterEach(() => {
    process.stdout.isTTY = isTerminal
    vi.restoreAllMocks()
  })

  test('a line is for people, and written before the call returns', () => {
    process.stdout.isTTY = true
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    createLogger({ name: 'test', level: 'info' }).info({ topic: 'user', password: 'hunter2' }, 'hello')
    const [text] = write.mock.calls.map(([line]) => String(line))
    expect(text).toMatch(/\d\d:\d\d:\d\d.*INFO.*test.*hello/)
    expect(text).toMatch(/topic.*user/)
    expect(text).not.toContain('hunter2')
  })
})
