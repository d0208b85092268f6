import {
  connectTo,
  createTopic,
  eventually,
  produce,
  startOwnKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { CommitAbandonedError } from './consumer-failure.ts'
import { createGroupConsumer } from './group-consumer.ts'

test('survives its broker: nothing is lost over an outage, and stop is bounded without one', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka })
  const seen: string[] = []
  let revocations = 0
  const consumer = createGroupConsumer(kafka.kafka, {
    groupId: uniqueName('group'),
    topics: [topic],
    from: 'earliest',
    logger: kafka.logger,
    // So long the group would wait for a member that nobody removed: longer than this test does.
    sessionTimeoutMs: 180_000,
    rebalanceTimeoutMs: 180_000,
  })
  const fatal: Error[] = []
  consumer.onFatal(error => fatal.push(error))
  onTestFinished(() => consumer.stop())
  const committed: string[] = []
  let latest = 0
  let lastCommit: unknown
  await consumer.start({
    onRecords: async ({ topic: from, partition, records, assignment }) => {
      seen.push(...records.map(({ value }) => String(value)))
      const next = String(BigInt(records.at(-1)!.offset) + 1n)
      if ((await consumer.commit(from, partition, next, assignment)) === 'committed') committed.push(next)
    },
    onAssigned: (_, assignment) => void (latest = assignment),
    onRevoked: async () => {
      revocations++
      if (revocations > 1)
        lastCommit = await consumer.commit(topic, 0, '2', latest).catch((error: Error) => error)
    },
  })
  await produce([{ topic, key: 'k', value: 'before' }], kafka)
  await eventually(() => expect(committed).toEqual(['1']), { what: 'the first commit' })

  const [broker] = kafka.nodes
  await broker!.stop()
  await eventually(() => expect(consumer.joined).toBe(false), {
    what: 'the consumer to know that it is alone',
  })
  // Until kafkajs has given up, and the consumer has tried again in vain.
  await eventually(() => expect(revocations).toBe(1), { what: 'the revocation' })
  const early = createGroupConsumer(kafka.kafka, {
    groupId: uniqueName('group'),
    topics: [topic],
    from: 'earliest',
    logger: kafka.logger,
  })
  onTestFinished(() => early.stop())
  const seenEarly: string[] = []
  const started = early.start({
    onRecords: ({ records }) => void seenEarly.push(...records.map(({ value }) => String(value))),
  })
  await broker!.start()
  await started
  await produce([{ topic, key: 'k', value: 'after' }], kafka)
  await eventually(() => expect(seen).toEqual(['before', 'after']), { what: 'the record after the outage' })
  await eventually(() => expect(committed).toEqual(['1', '2']), { what: 'its commit' })
  await eventually(() => expect(consumer.joined).toBe(true), { what: 'the membership' })
  // Who was started while there was no broker has waited for it.
  await eventually(() => expect(seenEarly).toEqual(['before', 'after']), {
    what: 'all records, at the other',
  })
  expect(fatal).toEqual([])

  await early.stop()
  await broker!.freeze()
  const stoppedAt = performance.now()
  await consumer.stop()
  // The last commit of onRevoked and the farewell get five seconds each, the rest is for a busy machine.
  expect(performance.now() - stoppedAt).toBeLessThan(30_000)
  expect(lastCommit).toBeInstanceOf(CommitAbandonedError)
  await broker!.thaw()
}, 300_000)

test('a stop during the start ends it at once', async () => {
  // Port 9 is the discard service: nothing listens there.
  const kafka = connectTo(['127.0.0.1:9'])
  const consumer = createGroupConsumer(kafka.kafka, {
    groupId: uniqueName('group'),
    topics: ['any'],
    from: 'earliest',
    logger: kafka.logger,
  })
  const started = consumer.start({ onRecords: () => {} })
  const stoppedAt = performance.now()
  await consumer.stop()
  await started
  expect(consumer.joined).toBe(false)
  // Without a stop it would go on for ever.
  expect(performance.now() - stoppedAt).toBeLessThan(30_000)
})
