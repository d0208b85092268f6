import { expect, test } from 'vitest'
import { describeFlowEvent } from './describe-flow-event.ts'
import { parseFlowEvent } from './flow-event.ts'

test.each([
  [
    'record acknowledged',
    { durationMs: 12.4, correlationId: 'a\u001B[2J' },
    'user/1@5 acknowledged in 12 ms, request a?[2J',
  ],
  ['record acknowledged', { durationMs: 12.4 }, 'user/1@5 acknowledged in 12 ms'],
  [
    'user stored',
    { userId: 'u', version: 2, events: ['UserRenamed'], correlationId: 'abc' },
    'user u version 2 stored: UserRenamed, request abc',
  ],
  ['record retried', { attempt: 2, delayMs: 100, reason: '\u001B[2J' }, 'user/1@5 attempt 2 in 100 ms: ?[2J'],
  [
    'record dead-lettered',
    {
      category: 'not retryable',
      reason: 'no JSON:\n\u009B2J',
      deadLetterTopic: 'user.dlt',
      deadLetterPartition: 0,
      deadLetterOffset: '3',
    },
    'user/1@5 dead-lettered to user.dlt/0@3 (not retryable): no JSON:??2J',
  ],
  [
    'row parked',
    { seq: '7', aggregateid: '\u001B]0;x', reason: 'too\rlarge' },
    'outbox row 7 of ?]0;x parked: too?large',
  ],
  [
    'row too large',
    { table: 'users', key: '\u001B]0;x', reason: 'too\rlarge' },
    'users row ?]0;x not published: too?large',
  ],
])('%s: what is in a record does not take over the terminal', (msg, fields, line) => {
  const event = parseFlowEvent(
    JSON.stringify({ time: 1, msg, topic: 'user', partition: 1, offset: '5', ...fields }),
  )
  expect(describeFlowEvent(event!)).toBe(line)
})
