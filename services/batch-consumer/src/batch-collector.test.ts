import { describe, expect, test } from 'vitest'
import { BatchCollector } from './batch-collector.ts'
import type { Batch, Collecting, Fetched } from './batch-collector.ts'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

const limits = { batchSize: 3, batchBytes: 1_000, batchTimeoutMs: 100 }

function records(first: number, count: number, bytes = 0) {
  return Array.from({ length: count }, (_, index) => ({
    key: null,
    value: bytes === 0 ? null : Buffer.alloc(bytes),
    timestamp: '0',
    attributes: 0,
    offset: String(first + index),
    headers: {} as Record<string, Buffer | (Buffer | string)[]>,
  }))
}

/** `nextOffset` is that after the last record, unless something follows it that is no record. */
function fetch(fetched: KafkaRecord[], nextOffset?: string): Fetched {
  return { records: fetched, nextOffset: nextOffset ?? String(BigInt(fetched.at(-1)?.offset ?? -1) + 1n) }
}

function collectorWithClock() {
  const clock = { nowMs: 0 }
  return { clock, collector: new BatchCollector(limits, () => clock.nowMs) }
}

const offsets = (batch: Batch | null) => batch?.records.map(record => record.offset)

describe('when a batch is due', () => {
  const table: { fetches: [atMs: number, count: number][]; atMs: number; is: Collecting }[] = [
    { fetches: [], atMs: 1_000, is: { state: 'empty' } },
    { fetches: [[0, 1]], atMs: 0, is: { state: 'filling', closesInMs: 100 } },
    { fetches: [[0, 2]], atMs: 99, is: { state: 'filling', closesInMs: 1 } },
    { fetches: [[0, 2]], atMs: 100, is: { state: 'due', reason: 'timeout' } },
    { fetches: [[0, 3]], atMs: 0, is: { state: 'due', reason: 'size' } },
    { fetches: [[0, 3]], atMs: 500, is: { state: 'due', reason: 'size' } },
    { fetches: [[0, 9]], atMs: 0, is: { state: 'due', reason: 'size' } },
    // across fetches, and measured from the first record, not from the last one
    { fetches: [[0, 1], [60, 1]], atMs: 60, is: { state: 'filling', closesInMs: 40 } }, // prettier-ignore
    { fetches: [[0, 1], [60, 1]], atMs: 100, is: { state: 'due', reason: 'timeout' } }, // prettier-ignore
    { fetches: [[0, 1], [60, 1], [70, 1]], atMs: 70, is: { state: 'due', reason: 'size' } }, // prettier-ignore
    { fetches: [[0, 0], [60, 1]], atMs: 60, is: { state: 'filling', closesInMs: 100 } }, // prettier-ignore
  ]

  test.each(table)('fetches $fetches, at $atMs ms: $is', ({ fetches, atMs, is }) => {
    const { clock, collector } = collectorWithClock()
    let next = 0
    for (const [arrivesAtMs, count] of fetches) {
      clock.nowMs = arrivesAtMs
      collector.add(fetch(records(next, count)))
      next += count
    }
    clock.nowMs = atMs
    expect(collector.collecting()).toEqual(is)
  })
})

describe('closing a batch', () => {
  test('hands over nothing while no batch is due', () => {
    const { collector } = collectorWithClock()
    expect(collector.close()).toBeNull()
    collector.add(fetch(records(0, 2)))
    expect(collector.close()).toBeNull()
    expect(collector.buffered).toBe(2)
  })

  test('cuts batches of BATCH_SIZE out of larger and smaller fetches, in order, nothing lost or doubled', () => {
    const { clock, collector } = collectorWithClock()
    collector.add(fetch(records(0, 1)))
    collector.add(fetch(records(1, 7)))
    collector.add(fetch(records(8, 2)))
    expect(offsets(collector.close())).toEqual(['0', '1', '2'])
    expect(offsets(collector.close())).toEqual(['3', '4', '5'])
    expect(offsets(collector.close())).toEqual(['6', '7', '8'])
    expect(collector.close()).toBeNull()
    clock.nowMs = 100
    expect(offsets(collector.close())).toEqual(['9'])
    expect(collector.collecting()).toEqual({ state: 'empty' })
  })

  test('closes it with the record that reaches BATCH_BYTES, across fetches, at BATCH_SIZE all the same', () => {
    const { collector } = collectorWithClock()
    collector.add(fetch(records(0, 1, 600)))
    expect(collector.close()).toBeNull()
    collector.add(fetch([...records(1, 1, 399), { ...records(2, 1)[0]!, key: Buffer.alloc(1) }]))
    expect(collector.close(), 'the third record is what both limits wait for').toMatchObject({
      closedBy: 'size',
      nextOffset: '3',
    })
    collector.add(fetch(records(3, 2, 500)))
    collector.add(fetch(records(5, 1, 5_000)))
    collector.add(fetch(records(6, 2, 1)))
    expect(collector.close()).toMatchObject({ closedBy: 'bytes', firstOffset: '3', nextOffset: '5' })
    expect(collector.close()).toMatchObject({ closedBy: 'bytes', firstOffset: '5', nextOffset: '6' })
    expect(collector.close()).toBeNull()
    expect([collector.buffered, collector.bufferedBytes]).toEqual([2, 2])
  })

  test('names the offset after its last record, also beyond 2^53 and with gaps of a compacted topic', () => {
    const { collector } = collectorWithClock()
    const [a, b, c] = records(0, 3)
    collector.add(
      fetch([
        { ...a!, offset: '9007199254740991' },
        { ...b!, offset: '9007199254740992' },
        { ...c!, offset: '9007199254740993' },
      ]),
    )
    expect(collector.close()).toMatchObject({
      firstOffset: '9007199254740991',
      nextOffset: '9007199254740994',
      closedBy: 'size',
    })
  })

  test('names the offset after what follows its last record, if it holds all of the fetch', () => {
    const { collector } = collectorWithClock()
    // The end of a transaction is at 5.
    collector.add(fetch(records(0, 5), '6'))
    collector.add(fetch(records(6, 1), '8'))
    expect(collector.close()).toMatchObject({ firstOffset: '0', nextOffset: '3' })
    expect(collector.close()).toMatchObject({ firstOffset: '3', nextOffset: '8' })
  })

  test('the time of the next batch runs from when its own first record arrived', () => {
    const { clock, collector } = collectorWithClock()
    collector.add(fetch(records(0, 2)))
    clock.nowMs = 90
    collector.add(fetch(records(2, 2)))
    expect(offsets(collector.close())).toEqual(['0', '1', '2'])
    expect(collector.collecting()).toEqual({ state: 'filling', closesInMs: 100 })
  })

  test('a batch that was handed over does not grow', () => {
    const { clock, collector } = collectorWithClock()
    collector.add(fetch(records(0, 2)))
    clock.nowMs = 100
    const batch = collector.close()
    collector.add(fetch(records(2, 5)))
    expect(offsets(batch)).toEqual(['0', '1'])
    // @ts-expect-error the type has no way to add to a batch in process
    expect(() => batch?.records.push).not.toThrow()
  })
})

test('many small fetches hold no more memory than their records have bytes', () => {
  const { collector } = collectorWithClock()
  const answers = Array.from({ length: 12 }, (_, offset) => {
    const answer = Buffer.alloc(1_000_000, String(offset % 10))
    const view = answer.subarray(500, 503)
    const record = {
      ...records(offset, 1)[0]!,
      key: view,
      value: view,
      headers: { a: view, b: [view, 'text'] },
    }
    collector.add(fetch([record]))
    return answer.buffer
  })
  const batches = [collector.close(), collector.close(), collector.close(), collector.close()]
  const kept = batches.flatMap(batch => batch?.records ?? [])
  expect(kept.map(({ value, headers }) => [String(value), String(headers?.a), String(headers?.b)])).toEqual(
    answers.map((_, i) => {
      const text = String(i % 10).repeat(3)
      return [text, text, `${text},text`]
    }),
  )
  const held = new Set<unknown>()
  for (const { key, value, headers } of kept) {
    for (const each of [key, value, headers?.a]) if (Buffer.isBuffer(each)) held.add(each.buffer)
  }
  expect(answers.filter(answer => held.has(answer))).toHaveLength(4)
})

test('headers count, whatever their form', () => {
  const { collector } = collectorWithClock()
  const headers = { one: Buffer.alloc(300), many: [Buffer.alloc(300), 'x'.repeat(300)] }
  collector.add(fetch([{ ...records(0, 1, 100)[0]!, headers }]))
  expect(collector.bufferedBytes).toBe(1_000)
  expect(collector.collecting()).toEqual({ state: 'due', reason: 'bytes' })
})
