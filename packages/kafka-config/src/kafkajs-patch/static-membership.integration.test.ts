import { createTopic, eventually, uniqueName } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { startConsumer } from './observed-consumer.ts'

const ASSIGNED = { what: 'both members to have partitions' }

test('a static member that restarts gets its partitions back, and nobody else is disturbed', async () => {
  const topic = await createTopic({ partitions: 4 })
  const groupId = uniqueName('group')
  const first = await startConsumer({ groupId, topic, groupInstanceId: 'first' })
  const second = await startConsumer({ groupId, topic, groupInstanceId: 'second' })
  await eventually(() => {
    expect(first.assigned).toHaveLength(2)
    expect(second.assigned).toHaveLength(2)
  }, ASSIGNED)
  const eventsBefore = [...first.events]

  await second.stop()
  const restarted = await startConsumer({ groupId, topic, groupInstanceId: 'second' })

  await eventually(() => expect(restarted.assigned).toHaveLength(2), ASSIGNED)
  expect(restarted.assigned).toEqual(second.assigned)
  // Heartbeats are how a member hears of a rebalance
  const { heartbeats } = first
  await eventually(() => expect(first.heartbeats).toBeGreaterThan(heartbeats + 2), {
    what: 'heartbeats of the other member',
  })
  expect(first.events).toEqual(eventsBefore)
})

test('a static member that was replaced is told so by its commit, and does not throw its successor out', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  // Its own heartbeat comes too late to tell it
  const replaced = await startConsumer({
    groupId,
    topic,
    groupInstanceId: 'only',
    heartbeatInterval: 60_000,
    sessionTimeout: 180_000,
  })
  const successor = await startConsumer({ groupId, topic, groupInstanceId: 'only' })
  await eventually(() => expect(successor.assigned).toEqual([0]), {
    what: 'the successor to have the partition',
  })

  const commit = replaced.consumer.commitOffsets([{ topic, partition: 0, offset: '0' }])

  await expect(commit).rejects.toMatchObject({ cause: { type: 'FENCED_INSTANCE_ID' } })
  expect(successor.events).toEqual(['joined'])
})
