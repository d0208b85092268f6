import { expect, test } from 'vitest'
import { NOW } from './fuzzed-records.ts'
import { encodeRecordBatch, roundTrip } from './round-trip.ts'

const MAX_TIMESTAMP_AT = 35

test('timestamps are ordered as numbers, not as text', async () => {
  const messages = ['1000', '999', '20'].map(timestamp => ({ value: 'v', timestamp }))

  expect((await encodeRecordBatch(messages)).readBigInt64BE(MAX_TIMESTAMP_AT)).toBe(1000n)
  expect((await roundTrip(messages)).map(({ timestamp }) => timestamp)).toEqual(['1000', '999', '20'])
})

test('the last timestamp of a batch counts the records that have none of their own', async () => {
  const batch = await encodeRecordBatch([{ value: 'v', timestamp: String(NOW - 1000) }, { value: 'v' }], NOW)

  expect(batch.readBigInt64BE(MAX_TIMESTAMP_AT)).toBe(BigInt(NOW))
})

test('a timestamp that is no number of milliseconds is refused', async () => {
  await expect(roundTrip([{ value: 'v', timestamp: '2026-01-01' }])).rejects.toThrow(/Invalid timestamp/)
})
