import { expect, test } from 'vitest'
import { createTopic, withAdmin } from './topics.ts'
import { testKafka } from './test-kafka.ts'

test('a created topic has its partitions and their leaders', async () => {
  const topic = await createTopic({ partitions: 3 })
  const metadata = await withAdmin(testKafka(), admin => admin.fetchTopicMetadata({ topics: [topic] }))
  expect(metadata.topics[0]?.partitions.map(partition => partition.leader)).toEqual([1, 1, 1])
})
