/** Three brokers, of which the leaders are killed. */
import { createTopic, eventually, startOwnKafka, uniqueName, withAdmin } from '@kafka-pattern/test-kit'
import type { OwnKafka } from '@kafka-pattern/test-kit'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { DeliveryTimeoutError } from './errors.ts'
import { connectedProducer, failureOf, faultsOf, sendWithoutPause } from './test-gathering.ts'

let kafka: OwnKafka
beforeAll(async () => {
  kafka = await startOwnKafka({ brokers: 3 })
  return () => kafka.stop()
})
// A test that failed on the way must not fail the next ones.
afterEach(async () => {
  for (const node of kafka.nodes) if (!(await node.isRunning())) await node.start()
})

test('leaders that die: their records move on to the next leader, in order', async () => {
  const topic = await createTopic({ partitions: 6, replicationFactor: 3, on: kafka })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 120_000 })
  const sending = sendWithoutPause(producer, topic)
  await sending.moreAcknowledged()

  const leaders = await leadersOf(topic)
  const [used] = sending.partitions()
  const victim = kafka.nodes.find(({ id }) => id === leaders.get(used!))!
  const orphans = sending.partitions().filter(partition => leaders.get(partition) === victim.id)
  await victim.kill()
  await sending.moreAcknowledged(orphans)
  expect(await victim.isRunning()).toBe(false)
  await victim.start()
  await sending.moreAcknowledged()
  expect(await faultsOf(await sending.stop(), topic, kafka)).toEqual([])
}, 300_000)

test('a partition without a leader holds up only its own records', { timeout: 300_000 }, async () => {
  const deliveryTimeoutMs = 15_000
  const topic = await createTopic({
    partitions: 3,
    replicationFactor: 1,
    prefix: uniqueName('unreplicated'),
    on: kafka,
  })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs })
  const send = (partition: number) => producer.send({ topic, key: 'k', value: 'v', partition })
  const leaders = await leadersOf(topic)
  await Promise.all([send(0), send(1), send(2)])

  const victim = kafka.nodes.find(({ id }) => id === leaders.get(1))!
  await victim.kill()
  for (let round = 0; round < 3; round++) {
    const leaderless = failureOf(send(1))
    const others = Promise.all([send(0), send(2)]).then(() => 'stored')
    expect(await Promise.race([others, leaderless])).toBe('stored')
    const { error, afterMs } = await leaderless
    expect(error).toBeInstanceOf(DeliveryTimeoutError)
    expect(error).toMatchObject({ partition: 1 })
    expect(afterMs).toBeLessThan(2 * deliveryTimeoutMs)
  }
  await eventually(() => expect(producer.connected).toBe(true), { what: 'the producer to be connected' })
  await victim.start()
  await eventually(() => send(1), { what: 'the partition to take records again' })
})

/** Node ids by partition. */
function leadersOf(topic: string): Promise<Map<number, number>> {
  return withAdmin(kafka, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return new Map(topics[0]!.partitions.map(({ partitionId, leader }) => [partitionId, leader]))
  })
}
