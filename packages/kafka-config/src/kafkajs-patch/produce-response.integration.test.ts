import { createTopic } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import type { KafkaJSProtocolError, ProduceResponse } from 'kafkajs'
import { kafkaUnderTest } from './observed-consumer.ts'

function byPartition({ topics }: ProduceResponse) {
  return topics.flatMap(({ partitions }) => partitions).toSorted((a, b) => a.partition - b.partition)
}

async function connectCluster(topic: string) {
  const cluster = kafkaUnderTest().cluster()
  onTestFinished(() => cluster.disconnect())
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const [partition] = cluster.findTopicPartitionMetadata(topic)
  return cluster.findBroker({ nodeId: partition!.leader })
}

test('the cluster gives a produce request to the leader, who answers for each partition', async () => {
  const topic = await createTopic({ partitions: 2 })
  const leader = await connectCluster(topic)

  const response = await leader.produce({
    acks: -1,
    timeout: 5_000,
    topicData: [
      {
        topic,
        partitions: [0, 1].map(partition => ({ partition, messages: [{ key: 'k', value: 'v' }] })),
      },
    ],
  })

  expect(byPartition(response)).toMatchObject([
    { partition: 0, errorCode: 0, baseOffset: '0' },
    { partition: 1, errorCode: 0, baseOffset: '0' },
  ])
})

test('a partition that refuses its records does not hide where those of the other went', async () => {
  const topic = await createTopic({ partitions: 2, configs: { 'max.message.bytes': '1000' } })
  const leader = await connectCluster(topic)

  const sent = leader.produce({
    acks: -1,
    timeout: 5_000,
    topicData: [
      {
        topic,
        partitions: [
          { partition: 0, messages: [{ value: 'v' }] },
          { partition: 1, messages: [{ value: Buffer.alloc(5_000) }] },
        ],
      },
    ],
  })

  const error: KafkaJSProtocolError = await sent.then(
    () => expect.unreachable(),
    (reason: KafkaJSProtocolError) => reason,
  )
  expect(error.type).toBe('MESSAGE_TOO_LARGE')
  expect(byPartition(error.response!)).toMatchObject([
    { partition: 0, errorCode: 0, baseOffset: '0' },
    { partition: 1, errorCode: 10 },
  ])
})
