import { createTopic, eventually, produce, uniqueName } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { startConsumer } from './observed-consumer.ts'

test('a partition that is resumed is fetched at once, not when the last fetch has waited its time out', async () => {
  const topic = await createTopic({ partitions: 2 })
  const maxWaitTimeInMs = 30_000
  const { consumer, received, assigned } = await startConsumer({
    groupId: uniqueName('group'),
    topic,
    maxWaitTimeInMs,
    sessionTimeout: 120_000,
  })
  expect(assigned).toHaveLength(2)

  for (const partitions of [[0], [0, 1]]) {
    const before = received.length
    consumer.pause([{ topic, partitions }])
    await produce([{ topic, partition: 0, key: 'k', value: 'while paused' }])
    consumer.resume([{ topic, partitions }])

    await eventually(() => expect(received).toHaveLength(before + 1), {
      what: 'the record of the resumed partition',
      timeoutMs: maxWaitTimeInMs / 2,
    })
  }

  const disconnected = consumer.disconnect()
  // Ends the last fetch, for which the consumer would wait.
  await produce([{ topic, partition: 0, key: 'k', value: 'the last one' }])
  await disconnected
})
