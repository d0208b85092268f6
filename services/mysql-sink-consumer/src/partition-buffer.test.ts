import { expect, test } from 'vitest'
import { PartitionBuffer, bufferLimits } from './partition-buffer.ts'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

function fetched(first: number, count: number, { gap = 0, bytes = 1, headerBytes = 0 } = {}) {
  const records: KafkaRecord[] = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.alloc(bytes),
    timestamp: '0',
    attributes: 0,
    offset: String(first + index),
    headers: { note: Buffer.alloc(headerBytes) },
  }))
  return { records, nextOffset: String(first + count + gap) }
}

function buffer(limits = { batchSize: 3, records: 3, bytes: 1_000 }) {
  const calls: string[] = []
  const made = new PartitionBuffer(limits, {
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
  })
  return { buffer: made, calls, signal: new AbortController() }
}

test('a batch is whatever has come, up to BATCH_SIZE, in order, nothing lost or doubled', async () => {
  const { buffer: gathered, signal } = buffer()
  gathered.add(fetched(0, 1))
  gathered.add(fetched(1, 4))
  const first = await gathered.next(signal.signal)
  expect(first).toMatchObject({ firstOffset: '0', nextOffset: '3' })
  expect(first?.records.map(({ offset }) => offset)).toEqual(['0', '1', '2'])
  expect(await gathered.next(signal.signal)).toMatchObject({ firstOffset: '3', nextOffset: '5' })
})

test('a single record does not wait for others', async () => {
  const { buffer: gathered, signal } = buffer()
  const waiting = gathered.next(signal.signal)
  gathered.add(fetched(7, 1))
  expect(await waiting).toMatchObject({ firstOffset: '7', nextOffset: '8' })
})

test('a batch that takes all there is goes on behind what is no record', async () => {
  const { buffer: gathered, signal } = buffer()
  gathered.add(fetched(0, 4, { gap: 1 }))
  expect(await gathered.next(signal.signal)).toMatchObject({ nextOffset: '3' })
  expect(await gathered.next(signal.signal)).toMatchObject({ nextOffset: '5' })
})

test('offsets beyond 2^53 are exact', async () => {
  const { buffer: gathered, signal } = buffer({ batchSize: 1, records: 9, bytes: 1_000 })
  const [a, b] = fetched(0, 2).records
  gathered.add({
    records: [
      { ...a!, offset: '9007199254740993' },
      { ...b!, offset: '9007199254740995' },
    ],
    nextOffset: '9007199254740997',
  })
  expect(await gathered.next(signal.signal)).toMatchObject({ nextOffset: '9007199254740994' })
  expect(await gathered.next(signal.signal)).toMatchObject({ nextOffset: '9007199254740997' })
})

test.each([
  ['records', fetched(0, 3)],
  ['bytes', fetched(0, 1, { bytes: 1_000 })],
  ['bytes, those of headers too', fetched(0, 1, { headerBytes: 1_000 })],
])(
  'at its limit of %s the partition is paused once, and resumed when a batch has left',
  async (_what, full) => {
    const { buffer: gathered, calls, signal } = buffer()
    gathered.add(full)
    gathered.add(fetched(10, 1))
    expect(calls).toEqual(['pause'])
    await gathered.next(signal.signal)
    expect(calls).toEqual(['pause', 'resume'])
  },
)

test('an abort ends the wait, and drops what waits', async () => {
  const { buffer: gathered, signal } = buffer()
  const waiting = gathered.next(signal.signal)
  signal.abort()
  expect(await waiting).toBeNull()
  gathered.add(fetched(0, 1))
  expect(await gathered.next(signal.signal)).toBeNull()
})

test('a cleared buffer begins anew, its partition no longer held back', async () => {
  const { buffer: gathered, calls, signal } = buffer()
  gathered.add(fetched(0, 5))
  gathered.clear()
  gathered.add(fetched(100, 1))
  expect(await gathered.next(signal.signal)).toMatchObject({ firstOffset: '100' })
  gathered.add(fetched(101, 3))
  expect(calls).toEqual(['pause', 'pause'])
})

test.each([
  [2_000, 1, 2_000],
  [2_000, 3, 2_000],
  [2_000, 100, 100],
])('with batches of %i and %i partitions each holds %i records', (batchSize, partitions, records) => {
  expect(bufferLimits(batchSize, partitions).records).toBe(records)
})
