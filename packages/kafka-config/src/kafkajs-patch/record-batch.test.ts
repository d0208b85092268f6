import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { NOW } from './fuzzed-records.ts'
import { internal } from './kafkajs-under-test.ts'
import { protocolOutput } from './protocol-output.ts'
import type { ProtocolOutput } from './protocol-output.ts'
import { decodePartition, encodeRecordBatch, roundTrip } from './round-trip.ts'

const Batch = internal('consumer/batch')
const stock: ProtocolOutput = JSON.parse(readFileSync(new URL('stock-output.json', import.meta.url), 'utf8'))

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

// A case that differs is looked at by running protocolOutput against both packages, see kafkajs-under-test.ts
test('the encoder writes, byte for byte, what the stock encoder writes', async () => {
  const { requests } = await protocolOutput()

  expect(Object.keys(requests).length).toBeGreaterThan(50)
  expect(requests).toEqual(stock.requests)
})

test('the decoder reads what the stock decoder reads: gaps, control batches, aborts, cut tails, compression', async () => {
  const { partitions } = await protocolOutput()

  expect(Object.keys(partitions).length).toBeGreaterThan(50)
  expect(partitions).toEqual(stock.partitions)
})

test('a batch may hold more records than a call takes arguments', async () => {
  const count = 150_000

  expect(await roundTrip(Array.from({ length: count }, () => ({ value: 'v' })))).toHaveLength(count)
})

const FIRST_OFFSET_AT = 0
const LENGTH_AT = 8
const LAST_OFFSET_DELTA_AT = 23
const COUNT_AT = 57
const HEADER_BYTES = 61

/** A record batch of one record, or of none, as log compaction leaves it. */
async function compactedBatch(firstOffset: number, lastOffset: number, values: string[]): Promise<Buffer> {
  const bytes = await encodeRecordBatch(
    values.length > 0 ? values.map(value => ({ value })) : [{ value: '' }],
  )
  const batch = values.length > 0 ? bytes : bytes.subarray(0, HEADER_BYTES)
  batch.writeBigInt64BE(BigInt(firstOffset), FIRST_OFFSET_AT)
  batch.writeInt32BE(batch.length - 12, LENGTH_AT)
  batch.writeInt32BE(lastOffset - firstOffset, LAST_OFFSET_DELTA_AT)
  batch.writeInt32BE(values.length, COUNT_AT)
  return batch
}

async function consume(fetchedOffset: number, recordSet: Buffer) {
  const partition = await decodePartition({ recordSet, abortedTransactions: [] })
  return new Batch('topic', String(fetchedOffset), partition)
}

test('goes on behind a batch that compaction has emptied, also when the next one has no room behind it', async () => {
  const empty = await compactedBatch(10, 19, [])
  const large = await compactedBatch(20, 20, ['v'.repeat(1_000)])

  const batch = await consume(10, Buffer.concat([empty, large.subarray(0, 500)]))

  expect(batch.isEmpty()).toBe(true)
  expect(batch.isEmptyDueToFiltering()).toBe(true)
  expect(batch.lastOffset()).toBe('19')
})

test.each([
  ['with records to hand over', 10, 1],
  ['of which all records were handed over before', 15, 0],
])(
  'goes on behind a batch whose last records compaction has removed, %s',
  async (_, fetchedOffset, count) => {
    const batch = await consume(fetchedOffset, await compactedBatch(10, 19, ['v']))

    expect(batch.messages).toHaveLength(count)
    expect(batch.lastOffset()).toBe('19')
  },
)

test('a fetch that holds only a batch that was cut off has not gone on', async () => {
  const cut = (await compactedBatch(10, 19, ['v'.repeat(1_000)])).subarray(0, 500)
  expect((await consume(10, cut)).isEmptyDueToFiltering()).toBe(false)
})

// In its length, in its header, in its records, and before its last byte.
test.each([11, 48, 49, 60, 61, 500, -1])(
  'does not go on behind a batch that was cut off at byte %i',
  async end => {
    const cut = (await compactedBatch(10, 19, ['v'.repeat(1_000)])).subarray(0, end)
    const behindWhole = await consume(5, Buffer.concat([await compactedBatch(5, 9, ['v']), cut]))
    expect(behindWhole.lastOffset()).toBe('9')
  },
)
