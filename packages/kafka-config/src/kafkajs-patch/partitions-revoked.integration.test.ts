import { setTimeout } from 'node:timers/promises'
import {
  addPartitions,
  createTopic,
  eventually,
  produce,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { startConsumer } from './observed-consumer.ts'
import type { ObservedConsumer } from './observed-consumer.ts'

/** A topic with records at the offsets 0, 1 and 2 of partition 0. */
async function createFilledTopic(partitions: number): Promise<string> {
  const topic = await createTopic({ partitions })
  await produce(['a', 'b', 'c'].map(value => ({ topic, partition: 0, key: value, value })))
  return topic
}

async function committedOffset(groupId: string, topic: string): Promise<string | undefined> {
  return withAdmin(testKafka(), async admin => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return found?.partitions.find(({ partition }) => partition === 0)?.offset
  })
}

const rejoin = (consumer: ObservedConsumer) =>
  eventually(() => expect(consumer.events.filter(event => event === 'joined')).toHaveLength(2), {
    what: 'the consumer to rejoin',
  })

test('in a rebalance the consumer finishes and commits before it rejoins', async () => {
  const topic = await createFilledTopic(2)
  const groupId = uniqueName('group')
  const first = await startConsumer({
    groupId,
    topic,
    onPartitionsRevoked: () => first.consumer.commitOffsets([{ topic, partition: 0, offset: '2' }]),
  })

  await startConsumer({ groupId, topic })
  await rejoin(first)

  expect(first.events).toEqual(['joined', 'rebalancing', 'revoked', 'revocation done', 'joined'])
  expect(await committedOffset(groupId, topic)).toBe('2')
})

test('a consumer that stops finishes and commits before it leaves', async () => {
  const topic = await createFilledTopic(1)
  const groupId = uniqueName('group')
  const consumer = await startConsumer({
    groupId,
    topic,
    onPartitionsRevoked: async () => {
      await setTimeout(300)
      await consumer.consumer.commitOffsets([{ topic, partition: 0, offset: '2' }])
    },
  })

  await consumer.stop()

  expect(consumer.events).toEqual(['joined', 'revoked', 'revocation done'])
  expect(await committedOffset(groupId, topic)).toBe('2')
})

test('work that takes longer than the session can still be committed, because heartbeats go on', async () => {
  const topic = await createFilledTopic(2)
  const groupId = uniqueName('group')
  const sessionTimeout = 15_000
  let slowOnce = true
  const first = await startConsumer({
    groupId,
    topic,
    sessionTimeout,
    onPartitionsRevoked: async () => {
      if (!slowOnce) return
      slowOnce = false
      await setTimeout(sessionTimeout + 2_000)
      await first.consumer.commitOffsets([{ topic, partition: 0, offset: '2' }])
    },
  })

  await startConsumer({ groupId, topic })
  await rejoin(first)

  expect(await committedOffset(groupId, topic)).toBe('2')
})

test('new partitions of a topic revoke the assignment once, too', async () => {
  const topic = await createTopic()
  const consumer = await startConsumer({ groupId: uniqueName('group'), topic, metadataMaxAge: 200 })

  await addPartitions(topic, 3)
  await eventually(() => expect(consumer.assigned).toHaveLength(3), { what: 'the new partitions' })

  expect(consumer.events).toEqual(['joined', 'revoked', 'revocation done', 'joined'])
})

test('a failure in the callback does not keep the consumer out of the group', async () => {
  const topic = await createFilledTopic(2)
  const groupId = uniqueName('group')
  const first = await startConsumer({
    groupId,
    topic,
    onPartitionsRevoked: () => Promise.reject(new Error('could not commit')),
  })

  await startConsumer({ groupId, topic })
  await rejoin(first)

  expect(first.events).toEqual(['joined', 'rebalancing', 'revoked', 'joined'])
})
