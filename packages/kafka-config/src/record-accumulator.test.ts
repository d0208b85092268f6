import { describe, expect, test } from 'vitest'
import {
  afterRefusedBatch,
  afterSettledBatch,
  departureMs,
  fillRequest,
  RecordQueue,
  recordSizeBytes,
} from './record-accumulator.ts'
import type { PendingRecord } from './record-accumulator.ts'

let made = 0
function pending(sizeBytes: number, queuedAtMs = 0): PendingRecord {
  return {
    key: null,
    value: null,
    headers: {},
    timestamp: '0',
    isTimestampGiven: false,
    sizeBytes,
    wantedPartition: undefined,
    queuedAtMs,
    index: made++,
    delivery: null,
    perhapsStored: false,
  }
}

function queueOf(...sizes: number[]): RecordQueue {
  const queue = new RecordQueue()
  for (const sizeBytes of sizes) queue.append(pending(sizeBytes))
  return queue
}

const sizesOf = (records: readonly PendingRecord[]): number[] => records.map(({ sizeBytes }) => sizeBytes)

describe('RecordQueue', () => {
  test.each([
    ['all that fit', [1, 2, 3], 100, true, [1, 2, 3]],
    ['as many as fit', [40, 40, 40], 100, true, [40, 40]],
    ['exactly the limit', [50, 50, 1], 100, true, [50, 50]],
    ['one over the limit, alone', [200, 1], 100, true, [200]],
    ['not one over the limit behind others', [1, 200], 100, true, [1]],
    ['nothing when the first does not fit and need not', [200, 1], 100, false, []],
    ['nothing of an empty queue', [], 100, true, []],
  ])('takes %s', (_what, sizes, limitBytes, mayExceed, taken) => {
    const queue = queueOf(...sizes)
    expect(sizesOf(queue.take(limitBytes, mayExceed))).toEqual(taken)
    expect(sizesOf(queue.takeAll())).toEqual(sizes.slice(taken.length))
    expect(queue.sizeBytes).toBe(0)
  })

  test('what is put back comes first again, in its order', () => {
    const queue = queueOf(1, 2, 3, 4, 5)
    const first = queue.take(3, true)
    queue.append(pending(6))
    queue.putBack(first)
    expect(queue.sizeBytes).toBe(21)
    expect(sizesOf(queue.takeAll())).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('what was appended although it is older comes before the younger ones, those of one age in their order', () => {
    const queue = new RecordQueue()
    for (const [sizeBytes, queuedAtMs] of [
      [1, 5],
      [2, 30],
      [3, 40],
      [4, 10],
      [5, 30],
      [6, 50],
    ] as const) {
      queue.append(pending(sizeBytes, queuedAtMs))
    }
    expect(sizesOf(queue.take(1, true))).toEqual([1])
    queue.sortByAge()
    expect(queue.sizeBytes).toBe(20)
    expect(sizesOf(queue.takeQueuedUntil(10))).toEqual([4])
    expect(sizesOf(queue.takeAll())).toEqual([2, 5, 3, 6])
  })

  test('what is put back stays behind older ones that came meanwhile', () => {
    const queue = new RecordQueue()
    for (const queuedAtMs of [30, 30]) queue.append(pending(1, queuedAtMs))
    const taken = queue.take(1, true)
    queue.append(pending(2, 10))
    queue.sortByAge()
    queue.putBack(taken)
    expect(sizesOf(queue.takeQueuedUntil(10))).toEqual([2])
    expect(queue.takeAll()[0]).toBe(taken[0])
  })

  test('gives out what was queued until a time, and only that', () => {
    const queue = new RecordQueue()
    for (const queuedAtMs of [10, 20, 20, 30]) queue.append(pending(1, queuedAtMs))
    expect(queue.takeQueuedUntil(9)).toEqual([])
    expect(queue.takeQueuedUntil(20)).toHaveLength(3)
    expect(queue.length).toBe(1)
    expect(queue.oldest?.queuedAtMs).toBe(30)
  })

  test('keeps its order and its counts over many records', () => {
    const queue = new RecordQueue()
    const appended: number[] = []
    const taken: number[] = []
    for (let round = 0; round < 2_000; round++) {
      for (let i = 0; i < 5; i++) {
        const record = pending(10)
        queue.append(record)
        appended.push(record.index)
      }
      const records = queue.take(round % 3 === 0 ? 100 : 30, true)
      if (round % 7 === 0) queue.putBack(records)
      else taken.push(...records.map(({ index }) => index))
      expect(queue.sizeBytes).toBe(queue.length * 10)
    }
    taken.push(...queue.takeAll().map(({ index }) => index))
    expect(taken).toEqual(appended)
  })
})

test.each([
  ['nothing waits', { sizeBytes: 0, lingerUntilMs: 0, flushing: true }, Infinity],
  ['the linger is not over', { sizeBytes: 99, lingerUntilMs: 123, flushing: false }, 123],
  ['enough bytes wait', { sizeBytes: 100, lingerUntilMs: 123, flushing: false }, 0],
  ['the producer is closing', { sizeBytes: 1, lingerUntilMs: 123, flushing: true }, 0],
])('when a request leaves: %s', (_what, waiting, departAtMs) => {
  expect(departureMs({ batchBytes: 100, ...waiting })).toBe(departAtMs)
})

const partition = (queue: RecordQueue, batchLimitBytes = 1_000) => ({ queue, batchLimitBytes })

describe('fillRequest', () => {
  test.each([
    ['one batch of each partition', [partition(queueOf(1, 2)), partition(queueOf(3))], [[1, 2], [3]]],
    [
      'what fits, in the order of the partitions',
      [partition(queueOf(60)), partition(queueOf(30, 30)), partition(queueOf(9))],
      [[60], [30], [9]],
    ],
    [
      'a later, smaller one behind one that does not fit',
      [partition(queueOf(60)), partition(queueOf(90)), partition(queueOf(9))],
      [[60], [9]],
    ],
    [
      'a record over every limit, when it is the first',
      [partition(queueOf(500)), partition(queueOf(1))],
      [[500]],
    ],
    [
      'no more of a partition than its own limit',
      [partition(queueOf(10, 10, 10), 20), partition(queueOf(5))],
      [[10, 10], [5]],
    ],
    [
      "a record over its partition's limit, alone",
      [partition(queueOf(5)), partition(queueOf(30, 1), 20)],
      [[5], [30]],
    ],
    ['nothing of empty partitions', [partition(queueOf()), partition(queueOf(1))], [[1]]],
  ])('takes %s', (_what, partitions, batches) => {
    expect(fillRequest(partitions, 100).map(({ records }) => sizesOf(records))).toEqual(batches)
  })
})

describe("the limit of a partition's batches", () => {
  const initial = { nextBytes: 1024, mostBytes: 1024 }

  test('is halved for good when a batch was too large for the topic', () => {
    const refused = afterRefusedBatch(initial, 600, true)
    expect(refused).toEqual({ nextBytes: 300, mostBytes: 300 })
    expect(afterSettledBatch(refused)).toEqual(refused)
  })

  test('is halved, and grows back, around a record that was refused for itself', () => {
    let limit = afterRefusedBatch(initial, 600, false)
    limit = afterRefusedBatch(limit, 300, false)
    expect(limit).toEqual({ nextBytes: 150, mostBytes: 1024 })
    const growth = Array.from({ length: 4 }, () => (limit = afterSettledBatch(limit)).nextBytes)
    expect(growth).toEqual([300, 600, 1024, 1024])
  })

  test('never falls below half of what the topic takes', () => {
    const topicTakesBytes = 10_000
    let limit = { nextBytes: 1_048_576, mostBytes: 1_048_576 }
    for (let round = 0; round < 50; round++) {
      const batchBytes = limit.nextBytes
      limit =
        batchBytes > topicTakesBytes ? afterRefusedBatch(limit, batchBytes, true) : afterSettledBatch(limit)
    }
    expect(limit.mostBytes).toBeGreaterThanOrEqual(topicTakesBytes / 2)
    expect(limit.mostBytes).toBeLessThanOrEqual(topicTakesBytes)
  })
})

describe('recordSizeBytes', () => {
  test('counts bytes, not characters, and every header value', () => {
    const plain = recordSizeBytes({ key: null, value: null })
    expect(recordSizeBytes({ key: 'ß', value: Buffer.alloc(10) }) - plain).toBe(12)
    const one = recordSizeBytes({ key: null, value: null, headers: { h: 'x' } })
    const two = recordSizeBytes({ key: null, value: null, headers: { h: ['x', 'yy'] } })
    expect(two - one).toBe(one - plain + 1)
  })

  test.each([
    ['a key that is a number', { key: 1, value: null }, 'the key of a record must be'],
    ['a value that is an object', { key: null, value: {} }, 'the value of a record must be'],
    [
      'a header without value',
      { key: null, value: null, headers: { h: undefined } },
      'header h has no value',
    ],
    [
      'a header that is a number',
      { key: null, value: null, headers: { h: 1 } },
      'the header h of a record must be',
    ],
  ])('refuses %s before it can spoil a request of others', (_what, record, message) => {
    // @ts-expect-error what JavaScript callers can do
    expect(() => recordSizeBytes(record)).toThrow(message)
  })
})
