import {
  createTopic,
  eventually,
  Ledger,
  readTopic,
  startOwnKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import type { OwnKafka } from '@kafka-pattern/test-kit'
import kafkajs from 'kafkajs'
import type { Cluster, Kafka } from 'kafkajs'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { MockInstance } from 'vitest'
import { ConnectError, DeliveryTimeoutError } from './errors.ts'
import { createGatheringProducer } from './gathering-producer.ts'
import type { GatheringProducer, GatheringProducerOptions } from './gathering-producer.ts'

async function connectedProducer(
  on: OwnKafka,
  options: Partial<GatheringProducerOptions> = {},
): Promise<GatheringProducer> {
  const producer = createGatheringProducer(on.kafka, { logger: on.logger, ...options })
  onTestFinished(() => producer.close())
  await producer.connect()
  return producer
}

/** The connections of the one producer that was made on `made`'s client. */
function clusterOf(made: MockInstance<Kafka['cluster']>): Cluster {
  const result = made.mock.results[0]
  if (result?.type !== 'return') throw new Error('no producer was made on this client')
  return result.value
}

/** Gives requests up after 0.7 s; the client that services use takes 10 s. */
function impatientProducer(
  on: OwnKafka,
  options: Partial<GatheringProducerOptions> = {},
  kafka = impatientClient(on),
): GatheringProducer {
  const producer = createGatheringProducer(kafka, { logger: on.logger, ...options })
  onTestFinished(() => producer.close())
  return producer
}

function impatientClient(on: OwnKafka): Kafka {
  return new kafkajs.Kafka({
    brokers: on.brokers,
    requestTimeout: 700,
    logLevel: kafkajs.logLevel.NOTHING,
  })
}

/** Sends numbered records for ten keys, without waiting for answers, until `stop` is called. */
function sendWithoutPause(producer: GatheringProducer, topic: string) {
  const ledger = new Ledger()
  const sends: Promise<unknown>[] = []
  /** The highest number that was acknowledged, and how many were, by partition. */
  const newest = new Map<number, number>()
  let acknowledged = 0
  let sequence = 0
  async function sendNumbered(k: number, own: number): Promise<void> {
    const { partition } = await producer.send({ topic, key: `key-${k}`, value: String(own) })
    ledger.sent(`key-${k}`, own)
    acknowledged++
    newest.set(partition, Math.max(own, newest.get(partition) ?? -1))
  }
  const timer = setInterval(() => {
    for (let k = 0; k < 10; k++) {
      sends.push(sendNumbered(k, sequence))
    }
    sequence++
  }, 5)
  onTestFinished(() => clearInterval(timer))
  return {
    /** Partitions of the records that were acknowledged so far. */
    partitions: () => [...newest.keys()],
    /** Resolves when 600 more records were acknowledged, and one sent from now on in each of these partitions. */
    async moreAcknowledged(partitions = [...newest.keys()]): Promise<void> {
      const from = sequence
      const atLeast = acknowledged + 600
      await eventually(
        () => {
          expect(acknowledged).toBeGreaterThanOrEqual(atLeast)
          for (const partition of partitions) expect(newest.get(partition)).toBeGreaterThanOrEqual(from)
        },
        { what: `new records to be acknowledged in the partitions [${partitions.join()}]` },
      )
    },
    /** Resolves when every record was acknowledged; rejects with the first that was not. */
    async stop(): Promise<Ledger> {
      clearInterval(timer)
      await Promise.all(sends)
      return ledger
    },
  }
}

/** What was lost or turned round. A request whose answer was lost is sent again, so duplicates are no fault here. */
async function faultsOf(ledger: Ledger, topic: string, on: OwnKafka): Promise<string[]> {
  for (const { key, value, partition, offset } of await readTopic(topic, { on })) {
    ledger.seen(String(key), Number(value), `${partition}/${offset}`)
  }
  const { total, faults } = ledger.report()
  expect(total.sent).toBeGreaterThan(1_000)
  return faults.filter(fault => !fault.startsWith('duplicated'))
}

/** Node ids by partition. */
function leadersOf(on: OwnKafka, topic: string): Promise<Map<number, number>> {
  return withAdmin(on, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return new Map(topics[0]!.partitions.map(({ partitionId, leader }) => [partitionId, leader]))
  })
}

/** The error with which a send fails, and how long that took. */
async function failureOf(send: Promise<unknown>): Promise<{ error: unknown; afterMs: number }> {
  const sentAt = performance.now()
  try {
    await send
  } catch (error) {
    return { error, afterMs: performance.now() - sentAt }
  }
  throw new Error('acknowledged, although nobody can have done that')
}

test('a broker that freezes: timely errors that tell what is known, then all is well again', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka })
  const made = vi.spyOn(kafka.kafka, 'cluster')
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 1_500 })
  await producer.send({ topic, key: 'k', value: 'before' })
  const [broker] = kafka.nodes
  const connection = await clusterOf(made).findBroker({ nodeId: broker!.id })
  const produce = vi.spyOn(connection, 'produce')
  await broker!.freeze()

  const failure = (value: string) => failureOf(producer.send({ topic, key: 'k', value }))
  const onItsWay = failure('on its way')
  await eventually(() => expect(produce).toHaveBeenCalledTimes(1), { what: 'the first to be handed over' })
  // This one has to wait for the answer to the first.
  const behind = failure('behind it')

  for (const [failed, outcomeUnknown] of [
    [await onItsWay, true],
    [await behind, false],
  ] as const) {
    expect(failed.error).toBeInstanceOf(DeliveryTimeoutError)
    expect(failed.error).toMatchObject({ topic, partition: 0, outcomeUnknown, category: 'retryable' })
    expect(failed.afterMs).toBeGreaterThan(1_400)
    expect(failed.afterMs).toBeLessThan(2_000)
  }

  await broker!.thaw()
  expect((await producer.send({ topic, key: 'k', value: 'after' })).partition).toBe(0)
  const values = (await readTopic(topic, { on: kafka })).map(({ value }) => String(value))
  expect(values).toEqual(['before', 'on its way', 'after'])

  await broker!.freeze()
  const last = failure('last')
  const closedAt = performance.now()
  await producer.close()
  expect(performance.now() - closedAt).toBeLessThan(2_500)
  expect((await last).error).toBeInstanceOf(DeliveryTimeoutError)
  await broker!.thaw()
})

test('a broker that restarts: nothing is lost, nothing turned round, and the producer knows how it stands', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ partitions: 3, on: kafka })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 60_000 })
  const [broker] = kafka.nodes
  const sending = sendWithoutPause(producer, topic)
  await sending.moreAcknowledged()

  await broker!.kill()
  await eventually(() => expect(producer.connected).toBe(false), { what: 'the producer to notice' })
  await broker!.start()
  await eventually(() => expect(producer.connected).toBe(true), { what: 'the producer to be back' })
  await sending.moreAcknowledged()
  expect(await faultsOf(await sending.stop(), topic, kafka)).toEqual([])
})

test('a broker that is frozen when the producer connects, and when it closes', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka })
  const [broker] = kafka.nodes
  await broker!.freeze()
  const producer = impatientProducer(kafka)
  const { error } = await failureOf(producer.connect())
  expect(error).toBeInstanceOf(ConnectError)
  expect(error).toMatchObject({ category: 'retryable' })

  await broker!.thaw()
  await eventually(() => producer.connect(), { what: 'the connection' })
  expect((await producer.send({ topic, key: 'k', value: 'v' })).topic).toBe(topic)

  const idle = await connectedProducer(kafka, { deliveryTimeoutMs: 1_000 })
  await broker!.freeze()
  const closing = idle.send({ topic: uniqueName('unknown'), key: 'k', value: 'v' })
  const closedAt = performance.now()
  await expect(Promise.all([closing, idle.close()])).rejects.toBeInstanceOf(DeliveryTimeoutError)
  await idle.close()
  // It waits for its records, not for the answer about an unknown topic.
  expect(performance.now() - closedAt).toBeLessThan(2_000)
  await broker!.thaw()
})

test('a broker that is silent for longer than a request may take: nothing is lost, nothing turned round', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ partitions: 3, on: kafka })
  const client = impatientClient(kafka)
  const made = vi.spyOn(client, 'cluster')
  const producer = impatientProducer(kafka, { deliveryTimeoutMs: 60_000 }, client)
  await producer.connect()
  const sending = sendWithoutPause(producer, topic)
  await sending.moreAcknowledged()

  const [broker] = kafka.nodes
  await broker!.freeze()
  const attempts = vi.spyOn(clusterOf(made), 'findBroker')
  // The third comes after two that were given up, or after one and a request that was on its way.
  await eventually(() => expect(attempts.mock.calls.length).toBeGreaterThan(2), { what: 'further attempts' })
  expect(producer.connected).toBe(false)
  await broker!.thaw()
  await eventually(() => expect(producer.connected).toBe(true), { what: 'the producer to be back' })
  await sending.moreAcknowledged()
  expect(await faultsOf(await sending.stop(), topic, kafka)).toEqual([])
})

test('a producer that nobody uses notices when its broker is back', async () => {
  const kafka = await startOwnKafka()
  const topic = await createTopic({ on: kafka })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 1_000 })
  const [broker] = kafka.nodes
  await broker!.kill()
  await expect(producer.send({ topic, key: 'k', value: 'v' })).rejects.toBeInstanceOf(DeliveryTimeoutError)
  expect(producer.connected).toBe(false)

  await broker!.start()
  await eventually(() => expect(producer.connected).toBe(true), {
    what: 'the producer to be connected again',
  })
})

describe('in a cluster', () => {
  let kafka: OwnKafka
  beforeAll(async () => {
    kafka = await startOwnKafka({ brokers: 3 })
    return () => kafka.stop()
  })

  test('leaders that die: their records move on to the next leader, in order', async () => {
    const topic = await createTopic({ partitions: 6, replicationFactor: 3, on: kafka })
    const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 60_000 })
    const sending = sendWithoutPause(producer, topic)
    await sending.moreAcknowledged()

    const leaders = await leadersOf(kafka, topic)
    const [used] = sending.partitions()
    const victim = kafka.nodes.find(({ id }) => id === leaders.get(used!))!
    const orphans = sending.partitions().filter(partition => leaders.get(partition) === victim.id)
    await victim.kill()
    await sending.moreAcknowledged(orphans)
    expect(await victim.isRunning()).toBe(false)
    await victim.start()
    await sending.moreAcknowledged()
    expect(await faultsOf(await sending.stop(), topic, kafka)).toEqual([])
  })

  test('a partition without a leader holds up only its own records', async () => {
    const topic = await createTopic({
      partitions: 3,
      replicationFactor: 1,
      prefix: uniqueName('unreplicated'),
      on: kafka,
    })
    const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 4_000 })
    const send = (partition: number) => producer.send({ topic, key: 'k', value: 'v', partition })
    const leaders = await leadersOf(kafka, topic)
    await Promise.all([send(0), send(1), send(2)])

    const victim = kafka.nodes.find(({ id }) => id === leaders.get(1))!
    await victim.kill()
    for (let round = 0; round < 3; round++) {
      const sentAt = performance.now()
      const leaderless = failureOf(send(1))
      await Promise.all([send(0), send(2)])
      expect(performance.now() - sentAt).toBeLessThan(2_000)
      const { error, afterMs } = await leaderless
      expect(error).toBeInstanceOf(DeliveryTimeoutError)
      expect(error).toMatchObject({ partition: 1 })
      expect(afterMs).toBeLessThan(4_500)
    }
    expect(producer.connected).toBe(true)
    await victim.start()
    await eventually(() => send(1), { what: 'the partition to take records again' })
  })
})
