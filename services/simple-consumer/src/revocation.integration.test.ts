import { setImmediate as turn } from 'node:timers/promises'
import { createTopic, eventually, produce, testKafka, uniqueName, withAdmin } from '@kafka-pattern/test-kit'
import { createService, createLogger, parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings } from './config.ts'
import { createSimpleConsumer } from './simple-consumer.ts'

/** A member of a shared group whose reader takes its lines when told to. */
async function startHeldMember() {
  const topic = await createTopic()
  const groupId = uniqueName('printers')
  const { kafka, logger } = testKafka()
  const settings = parseSettings(Settings, {})
  const { metrics } = createService({
    name: 'test',
    settings,
    logger: createLogger({ name: 'test', level: 'silent' }),
  })
  const reader = Promise.withResolvers<void>()
  const printed: string[] = []
  const consumer = createSimpleConsumer({
    kafka,
    topics: [topic],
    membership: { mode: 'shared', groupId },
    print: async lines => {
      printed.push(...lines)
      await reader.promise
    },
    metrics,
    logger,
    onFatal: error => reader.reject(error),
  })
  await consumer.start()
  await produce([{ topic, key: 'k', value: 'v' }])
  await eventually(() => expect(printed).toHaveLength(1), { what: 'the line to be with the reader' })
  return { topic, groupId, consumer, reader, lag: async () => (await metrics.lag.get()).values }
}

async function committed(groupId: string, topic: string): Promise<string | undefined> {
  const [found] = await withAdmin(testKafka(), admin => admin.fetchOffsets({ groupId, topics: [topic] }))
  return found?.partitions[0]?.offset
}

test('a planned stop commits what the reader is taking, and tells no lag of what it gave up', async () => {
  const { topic, groupId, consumer, reader, lag } = await startHeldMember()
  const stopped = consumer.stop()
  // So late that without waiting the partition would be gone.
  await turn()
  reader.resolve()
  await stopped
  expect(await committed(groupId, topic)).toBe('1')
  expect(await lag()).toEqual([])
})

test('a reader that takes nothing any more holds a stop for 5 s, not for ever', async () => {
  const { topic, groupId, consumer, reader, lag } = await startHeldMember()
  const begunAt = performance.now()
  await consumer.stop()
  // A revocation may take 60 s, and a reader that takes nothing would use them up.
  expect(performance.now() - begunAt).toBeLessThan(45_000)
  reader.resolve()
  expect(await committed(groupId, topic)).toBe('0')
  expect(await lag()).toEqual([])
})
