import { expect, test } from 'vitest'
import { partitionForKey } from './partitioner.ts'
import { layOutRequests } from './transaction-requests.ts'
import type { KeyedRecord, TransactionBatch } from './transaction-requests.ts'

const record = (topic: string, key: string, value = 'v'): KeyedRecord => ({ topic, key, value })
const indexesOf = (requests: TransactionBatch[][]): string[] =>
  requests.map(batches =>
    batches.map(({ topic, partition, indexes }) => `${topic}/${partition}: ${indexes.join(' ')}`).join(', '),
  )

test('a request holds one batch a partition, and the key decides which', () => {
  const records = [record('a', 'x'), record('b', 'x'), record('a', 'y'), record('a', 'x')]
  const [x, y] = ['x', 'y'].map(key => partitionForKey(key, 100))
  expect(indexesOf(layOutRequests(records, () => ({ partitions: 100, batchLimitBytes: 1_000 })))).toEqual([
    `a/${x}: 0 3, b/${x}: 1, a/${y}: 2`,
  ])
})

test('what does not fit into a batch goes into the next request, in order', () => {
  const records = Array.from({ length: 5 }, () => record('a', 'x', '0123456789'))
  const requests = layOutRequests(records, () => ({ partitions: 1, batchLimitBytes: 100 }))
  expect(indexesOf(requests)).toEqual(['a/0: 0 1', 'a/0: 2 3', 'a/0: 4'])
})

test('a record over the limit travels alone: the broker decides', () => {
  const records = [record('a', 'x'), record('a', 'x', 'x'.repeat(500)), record('a', 'x')]
  const requests = layOutRequests(records, () => ({ partitions: 1, batchLimitBytes: 100 }))
  expect(indexesOf(requests)).toEqual(['a/0: 0', 'a/0: 1', 'a/0: 2'])
})

test('each topic has a limit of its own, and one that is split does not split the others', () => {
  const records = ['a', 'b', 'a', 'b'].map(topic => record(topic, 'x', '0123456789'))
  const requests = layOutRequests(records, topic => ({
    partitions: 1,
    batchLimitBytes: topic === 'a' ? 1 : 1_000,
  }))
  expect(indexesOf(requests)).toEqual(['a/0: 0, b/0: 1 3', 'a/0: 2'])
})

test('nothing makes no request', () => {
  expect(layOutRequests([], () => ({ partitions: 1, batchLimitBytes: 1 }))).toEqual([])
})
