import { expect, test } from 'vitest'
import type { LagReport } from './lag-report.ts'
import { formatAge, lagTables } from './lag-tables.ts'
import { countedUpTo } from './relay-lanes.ts'

const at = '2026-11-24T03:00:00.000Z'
const consumers: LagReport = {
  at,
  groups: [
    {
      group: 'batch-consumer',
      lag: 3,
      partitions: [
        { topic: 'user', partition: 0, position: '9', end: '12', lag: 3, consumer: 'batch-consumer' },
        { topic: 'user', partition: 1, position: null, end: '120', lag: null, consumer: null },
      ],
    },
  ],
  listeners: [{ group: 'simple-consumer.broadcast.1', consumers: ['simple-consumer'], partitions: 9 }],
}

test('consumers alone: nothing is said of a database', () => {
  expect(lagTables(consumers)).toEqual([
    'Consumer groups',
    '  group           partition  committed  end  lag  consumer',
    '  batch-consumer  user/0             9   12    3  batch-consumer',
    '                  user/1             -  120    -  nobody',
    '',
    '  simple-consumer reads 9 partitions and commits nothing: it keeps its position to itself, so there is no lag to tell.',
  ])
})

test('a group that has committed nothing yet is not taken for one that never will', () => {
  const listeners = [{ group: 'batch-consumer', consumers: ['batch-consumer'], partitions: 9 }]
  expect(lagTables({ ...consumers, groups: [], listeners })).toEqual([
    '  batch-consumer reads 9 partitions and has committed nothing yet: how far it is behind cannot be told.',
  ])
})

test('lanes, pollers, and sinks beside the groups that they are', () => {
  const report: LagReport = {
    ...consumers,
    listeners: [],
    relay: {
      newestSeq: 1250,
      parked: 1,
      lanes: [
        {
          lane: 0,
          owner: 'host-1',
          leaseEndsInMs: 9_000,
          publishedUpTo: 1234,
          holes: 2,
          unpublished: 16,
          oldestUnpublishedMs: 125_000,
        },
        {
          lane: 1,
          owner: 'host-2',
          leaseEndsInMs: -3_000,
          publishedUpTo: null,
          holes: 0,
          unpublished: countedUpTo,
          oldestUnpublishedMs: 400,
        },
      ],
    },
    pollers: [
      {
        topic: 'cdc.users',
        owner: null,
        leaseEndsInMs: null,
        cursor: '2026-11-24 02:59:58.800000',
        behindNowMs: 1_200,
        behindNewestMs: null,
        parked: 2,
      },
    ],
    groups: [
      ...consumers.groups,
      {
        group: 'cdc-sink',
        lag: 2,
        partitions: [
          { topic: 'cdc.users', partition: 0, position: '3', end: '5', lag: 2, consumer: 'cdc-sink' },
        ],
      },
    ],
    sinks: [
      {
        group: 'cdc-sink',
        lag: 1,
        partitions: [
          { topic: 'cdc.users', partition: 0, position: '5', end: '5', lag: 0, consumer: 'cdc-sink' },
          { topic: 'cdc.users', partition: 1, position: '6', end: '7', lag: 1, consumer: null },
        ],
      },
    ],
  }
  expect(lagTables(report, owner => (owner === 'host-1' ? 'outbox-relay' : null))).toEqual([
    'Consumer groups',
    '  group           partition    committed  in the database  end  lag  consumer',
    '  batch-consumer  user/0               9                    12    3  batch-consumer',
    '                  user/1               -                   120    -  nobody',
    '  cdc-sink        cdc.users/0          3                5    5    0  cdc-sink',
    '                  cdc.users/1          -                6    7    1  nobody',
    '',
    'Outbox',
    '  lane  published up to  newest row    unpublished  oldest of them  owner',
    '     0      1234 less 2        1250             16       2 min 5 s  outbox-relay (host-1)',
    '     1                -        1250  10000 or more           0.4 s  host-2, its lease ran out 3.0 s ago',
    '  less: lower numbers without a row, so far (its transaction is open) or for good (it was rolled back).',
    '  1 row(s) put aside in relay_parked: Kafka does not take them.',
    '',
    'Pollers',
    '  topic      cursor (UTC)                behind now  behind the newest row  owner',
    '  cdc.users  2026-11-24 02:59:58.800000       1.2 s                      -  nobody',
    '  2 row(s) are not in cdc.users as they are in their table: too large for Kafka (poller_parked).',
  ])
})

test('a relay that has published all: nothing is to be explained', () => {
  const lane = {
    lane: 0,
    owner: 'host-1',
    leaseEndsInMs: 9_000,
    publishedUpTo: 7,
    holes: 0,
    unpublished: 0,
    oldestUnpublishedMs: null,
  }
  const relay = { newestSeq: 7, parked: 0, lanes: [lane] }
  expect(lagTables({ at, groups: [], listeners: [], relay })).toEqual([
    'Outbox',
    '  lane  published up to  newest row  unpublished  oldest of them  owner',
    '     0                7           7            0               -  host-1',
  ])
})

test('a database that cannot be asked: the groups are shown all the same', () => {
  const [missing, which, , ...rest] = lagTables({ ...consumers, withoutDatabase: 'connect ECONNREFUSED' })
  expect(missing).toBe('MySQL cannot be asked: connect ECONNREFUSED')
  expect(which).toMatch(/lanes, cursors and the positions of sinks.*make doctor/)
  expect(rest).toEqual(lagTables(consumers))
})

test('a stack that has only just started', () => {
  expect(lagTables({ at, groups: [], listeners: [] })).toEqual(['No consumer has said yet how far it is.'])
})

test.each([
  [null, '-'],
  [49, '0.0 s'],
  [59_900, '59.9 s'],
  [125_000, '2 min 5 s'],
  [7_500_000, '2 h 5 min'],
  [30 * 86_400_000, '30 d'],
])('an age of %s ms', (ms, text) => {
  expect(formatAge(ms)).toBe(text)
})
