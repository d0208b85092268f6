import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { NOW } from './fuzzed-records.ts'
import { protocolOutput } from './protocol-output.ts'
import type { ProtocolOutput } from './protocol-output.ts'
import { roundTrip } from './round-trip.ts'

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
