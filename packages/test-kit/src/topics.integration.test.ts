import { expect, test } from 'vitest'
import { produce } from './records.ts'
import { testKafka } from './test-kafka.ts'
import { addPartitions, createTopic, partitionEnds, withAdmin } from './topics.ts'

test('a created topic has its partitions and their leaders', async () => {
  const topic = await createTopic({ partitions: 3 })
  const metadata = await withAdmin(testKafka(), admin => admin.fetchTopicMetadata({ topics: [topic] }))
  expect(metadata.topics[0]?.partitions.map(partition => partition.leader)).toEqual([1, 1, 1])
})

test('added partitions are there and take records at once', async () => {
  const topic = await createTopic({ partitions: 2 })
  await addPartitions(topic, 50)
  const partitions = Array.from({ length: 50 }, (_, partition) => partition)
  await produce(partitions.map(partition => ({ topic, partition, key: 'k', value: 'v' })))
  const ends = await partitionEnds(topic)
  expect(ends.map(({ high }) => high)).toEqual(partitions.map(() => '1'))
})
