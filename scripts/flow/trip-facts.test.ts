import type { KafkaRecord } from '@kafka-pattern/kafka-config'
import { expect, test } from 'vitest'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { parseFlowEvent } from './flow-event.ts'
import { factOfRecord, factsOf } from './trip-facts.ts'

const service = (name: string, environment: Record<string, string> = {}): ComposeService => ({
  name,
  instanceOf: null,
  profiles: [],
  image: null,
  program: name,
  environment,
  ports: [],
  dependsOn: [],
  stopGracePeriodMs: 0,
})
const place = { topic: 'user', partition: 2, offset: '17' }
const facts = (line: object | string, of = service('s')) =>
  factsOf(of, parseFlowEvent(typeof line === 'string' ? line : JSON.stringify(line))!, 5_000)

test('an acknowledged record: the request began so long before the line', () => {
  const line = { time: 1_000, msg: 'record acknowledged', ...place, durationMs: 3.2, correlationId: 'c' }
  expect(facts(line)).toEqual([
    {
      fact: 'produced',
      service: 's',
      request: 'POST /create',
      correlationId: 'c',
      at: 996.8,
      tookMs: 3.2,
      place,
    },
  ])
})

test.each([
  [['UserCreated'], 'table', 'POST /users', 'row'],
  [['UserRenamed', 'UserLevelChanged'], 'outbox', 'PUT /users/:id', 'row, outbox'],
  [['UserDeleted'], 'outbox', 'DELETE /users/:id', 'row, outbox'],
])('a stored user: %s by WRITE_MODE=%s', (events, WRITE_MODE, request, as) => {
  const user = { userId: 'u', version: 3, correlationId: 'c' }
  const line = { time: 1_000, msg: 'user stored', ...user, events, durationMs: 4 }
  expect(facts(line, service('s', { WRITE_MODE }))).toEqual([
    { fact: 'stored', service: 's', request, at: 996, tookMs: 4, changes: events.length, as, ...user },
  ])
})

test('consumers: one record by the time of reading, a batch by the time of its line', () => {
  expect(facts('[consume] user 2 17 key {}')).toEqual([
    { fact: 'taken', service: 's', topic: 'user', partition: 2, from: 17n, to: 18n, at: 5_000 },
  ])
  const batch = { time: 1_000, topic: 'user', partition: 2, records: 5, firstOffset: '15', nextOffset: '20' }
  const taken = { fact: 'taken', service: 's', topic: 'user', partition: 2, from: 15n, to: 20n, at: 1_000 }
  expect(facts({ msg: 'batch committed', ...batch, batch: 1 })).toEqual([taken])
  expect(facts({ msg: 'batch applied', ...batch, upserted: 5, deleted: 0, stale: 0 })).toEqual([taken])
})

test.each([
  [{ msg: 'record processed', ...place, batch: 1, attempts: 1 }, []],
  [{ msg: 'record processed', ...place, batch: 1, attempts: 3 }, ['attempt 3']],
  [{ msg: 'record retried', ...place, attempt: 2, delayMs: 100, reason: 'timeout' }, [null]],
  [
    {
      msg: 'record dead-lettered',
      ...place,
      category: 'not retryable',
      reason: 'no JSON',
      deadLetterTopic: 'user.dlt',
      deadLetterPartition: 1,
      deadLetterOffset: '0',
    },
    ['dead-lettered to user.dlt/1@0: no JSON'],
  ],
])('what is noted of a record: %j', (line, notes) => {
  expect(facts(line)).toEqual(notes.map(note => ({ fact: 'noted', service: 's', place, note })))
})

const record = (value: string | null, headers: Record<string, string> = {}): KafkaRecord => ({
  key: Buffer.from('u1'),
  value: value === null ? null : Buffer.from(value),
  timestamp: '1000',
  offset: '17',
  attributes: 0,
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
})

test('a record on its topic: whose it is, and the version of the row in it', () => {
  const fact = { fact: 'record', place, at: 1_000, replayedFrom: null, key: 'u1' }
  expect(factOfRecord('user', 2, record('{"version": 3}', { 'correlation-id': 'c' }), 9_000)).toEqual([
    { ...fact, correlationId: 'c', version: 3 },
  ])
  // A row that SQL changed has an event with an empty id.
  expect(factOfRecord('user', 2, record('{"ver', { 'correlation-id': '' }), 9_000)).toEqual([
    { ...fact, correlationId: null, version: null },
  ])
  expect(factOfRecord('user', 2, record(null), 9_000)).toEqual([])
})

test('a dead letter that was sent back begins its trip now: it has kept the time of its first one', () => {
  const headers = { 'dlt.replayed-from': 'user.billing.dlt/2/5' }
  expect(factOfRecord('user', 2, record('{}', headers), 9_000)).toMatchObject([
    { at: 9_000, replayedFrom: { topic: 'user.billing.dlt', partition: 2, offset: '5' } },
  ])
  const foreign = { 'dlt.replayed-from': 'somewhere' }
  expect(factOfRecord('user', 2, record('{}', foreign), 9_000)).toMatchObject([
    { at: 1_000, replayedFrom: null },
  ])
})
