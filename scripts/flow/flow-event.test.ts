import { expect, test } from 'vitest'
import { parseFlowEvent } from './flow-event.ts'

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
  ['another message', '{"level":30,"msg":"listening","port":3001}'],
  ['a message without its fields', '{"msg":"record processed","topic":"user"}'],
  ['a line that was cut off', '{"msg":"record proc'],
  ['plain text', 'Server started'],
  ['nothing', ''],
])('%s is no event', (_what, line) => {
  expect(parseFlowEvent(line)).toBeNull()
})
