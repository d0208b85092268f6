import { expect, test } from 'vitest'
import { isRecordStep, parseFlowEvent } from './flow-event.ts'

test('a line of simple-consumer, whatever the value holds', () => {
  expect(parseFlowEvent('[consume] user 2 17 key-1 {"name": "a b"}')).toEqual({
    msg: 'record seen',
    topic: 'user',
    partition: 2,
    offset: '17',
    key: 'key-1',
    value: '{"name": "a b"}',
  })
  expect(parseFlowEvent('[consume] user 0 0 key-1 ')).toMatchObject({ value: '' })
})

test('a log line about a record, without what pino adds', () => {
  const line =
    '{"level":30,"pid":1,"msg":"record acknowledged","topic":"user","partition":1,"offset":"5","durationMs":3.2}'
  expect(parseFlowEvent(line)).toEqual({
    msg: 'record acknowledged',
    topic: 'user',
    partition: 1,
    offset: '5',
    durationMs: 3.2,
  })
})

test.each([
  ['user stored', { userId: 'u', version: 2, events: ['UserRenamed'], correlationId: 'c' }],
  ['changes published', { topic: 'cdc.users', records: 3 }],
  ['events published', { records: 3 }],
  ['row parked', { seq: '7', aggregateid: 'u', reason: 'too large' }],
  ['row too large', { topic: 'cdc.users', table: 'users', key: 'u', reason: 'too large' }],
  [
    'batch applied',
    {
      topic: 'cdc.users',
      partition: 0,
      records: 3,
      firstOffset: '5',
      nextOffset: '8',
      upserted: 2,
      deleted: 1,
      stale: 0,
    },
  ],
])('a log line about rows: %s', (msg, fields) => {
  const event = parseFlowEvent(JSON.stringify({ level: 30, ...fields, table: 'users', msg }))
  expect(event).toEqual({ msg, ...fields })
  expect(isRecordStep(event!)).toBe(false)
})

test('what is told of single records and their batches is a step of a record', () => {
  expect(isRecordStep(parseFlowEvent('[consume] user 0 0 key-1 ')!)).toBe(true)
  const committed = { topic: 'user', partition: 0, batch: 1, records: 1, firstOffset: '0', nextOffset: '1' }
  expect(isRecordStep(parseFlowEvent(JSON.stringify({ msg: 'batch committed', ...committed }))!)).toBe(true)
})

test.each([
  ['another message', '{"level":30,"msg":"listening","port":3001}'],
  ['a message without its fields', '{"msg":"record processed","topic":"user"}'],
  ['a line that was cut off', '{"msg":"record proc'],
  ['plain text', 'Server started'],
  ['nothing', ''],
])('%s is no event', (_what, line) => {
  expect(parseFlowEvent(line)).toBeNull()
})
