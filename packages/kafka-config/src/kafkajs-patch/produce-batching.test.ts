import { expect, test, vi } from 'vitest'
import { internal, kafkajs } from './kafkajs-under-test.ts'

const groupMessagesPerPartition = internal('producer/groupMessagesPerPartition')
const partitionMetadata = [0, 1, 2].map(partitionId => ({
  partitionId,
  partitionErrorCode: 0,
  leader: 1,
  replicas: [1],
  isr: [1],
}))

test('the messages of a batch are grouped by partition, in their order', () => {
  const messages = [4, 1, 3, 0, 2].map(n => ({ value: String(n), partition: n % 3 }))

  const groups = groupMessagesPerPartition({
    topic: 'user',
    partitionMetadata,
    messages,
    partitioner: ({ message }) => message.partition!,
  })

  expect(Object.fromEntries(Object.entries(groups).map(([p, all]) => [p, all.map(m => m.value)]))).toEqual({
    0: ['3', '0'],
    1: ['4', '1'],
    2: ['2'],
  })
})

test('grouping takes time in proportion to the batch, not to its square', () => {
  const messages = Array.from({ length: 40_000 }, (_, i) => ({ value: 'v', partition: i % 3 }))

  const durationsMs = Array.from({ length: 5 }, () => {
    const startedAt = performance.now()
    groupMessagesPerPartition({
      topic: 'user',
      partitionMetadata,
      messages,
      partitioner: ({ message }) => message.partition!,
    })
    return performance.now() - startedAt
  })

  // Some milliseconds; with a copy of the group for every message it takes seconds. The best of several rounds, because other
  // work on the machine can only make a round slower
  expect(Math.min(...durationsMs)).toBeLessThan(250)
})

test('the partition of a key is found without looking through the partitions', () => {
  const choosePartition = kafkajs.Partitioners.DefaultPartitioner()
  const filter = vi.spyOn(partitionMetadata, 'filter')

  choosePartition({ topic: 'user', partitionMetadata, message: { key: 'k', value: 'v' } })

  expect(filter).not.toHaveBeenCalled()
})
