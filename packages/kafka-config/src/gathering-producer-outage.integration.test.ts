/** One broker, which is frozen or killed. */
import { createTopic, eventually, readTopic, startOwnKafka, uniqueName } from '@kafka-pattern/test-kit'
import type { OwnKafka } from '@kafka-pattern/test-kit'
import kafkajs from 'kafkajs'
import type { Cluster, Kafka } from 'kafkajs'
import { afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import type { MockInstance } from 'vitest'
import { ConnectError, DeliveryTimeoutError } from './errors.ts'
import { createGatheringProducer } from './gathering-producer.ts'
import { connectedProducer, failureOf, faultsOf, sendWithoutPause } from './test-gathering.ts'
import type { GatheringProducer, GatheringProducerOptions } from './gathering-producer.ts'

const patienceMs = 60_000

let kafka: OwnKafka
beforeAll(async () => {
  kafka = await startOwnKafka()
  return () => kafka.stop()
})
// A test that failed on the way must not fail the next ones.
afterEach(async () => {
  const [broker] = kafka.nodes
  if (await broker!.isRunning()) await broker!.thaw()
  else await broker!.start()
})

/** The connections of the one producer that was made on `made`'s client. */
function clusterOf(made: MockInstance<Kafka['cluster']>): Cluster {
  const result = made.mock.results[0]
  if (result?.type !== 'return') throw new Error('no producer was made on this client')
  return result.value
}

/** Its requests are given up after 0.7 s. */
function impatientProducer(
  on: OwnKafka,
  options: Partial<GatheringProducerOptions> = {},
  client = impatientClient(on),
): GatheringProducer {
  const producer = createGatheringProducer(client, {
    logger: on.logger,
    deliveryTimeoutMs: 60_000,
    ...options,
  })
  onTestFinished(() => producer.close())
  return producer
}

function impatientClient(on: OwnKafka): Kafka {
  return clientOf(on, 700)
}

/** What fails on this client within a request's time was not given up by kafkajs. */
function patientClient(on: OwnKafka): Kafka {
  return clientOf(on, patienceMs)
}

/** The client that services use gives requests up after 10 s. */
function clientOf({ brokers }: OwnKafka, requestTimeout: number): Kafka {
  return new kafkajs.Kafka({ brokers, requestTimeout, logLevel: kafkajs.logLevel.NOTHING })
}

test('a broker that freezes: timely errors that tell what is known, then all is well again', async () => {
  // A broker that its controller held for dead would not take the record that was on its way.
  const own = await startOwnKafka({ config: { 'broker.session.timeout.ms': 60_000 } })
  const topic = await createTopic({ on: own })
  const client = patientClient(own)
  const made = vi.spyOn(client, 'cluster')
  const deliveryTimeoutMs = 15_000
  const producer = await connectedProducer({ ...own, kafka: client }, { deliveryTimeoutMs })
  await producer.send({ topic, key: 'k', value: 'before' })
  const [broker] = own.nodes
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
    expect(failed.afterMs).toBeGreaterThan(deliveryTimeoutMs - 100)
    expect(failed.afterMs).toBeLessThan(patienceMs / 2)
  }

  await broker!.thaw()
  expect((await producer.send({ topic, key: 'k', value: 'after' })).partition).toBe(0)
  const values = (await readTopic(topic, { on: own })).map(({ value }) => String(value))
  expect(values).toEqual(['before', 'on its way', 'after'])

  await broker!.freeze()
  const last = failure('last')
  const closedAt = performance.now()
  await producer.close()
  expect(performance.now() - closedAt).toBeLessThan(patienceMs / 2)
  expect((await last).error).toBeInstanceOf(DeliveryTimeoutError)
  await broker!.thaw()
})

test('a broker that restarts: nothing is lost, nothing turned round, and the producer knows how it stands', async () => {
  const topic = await createTopic({ partitions: 3, on: kafka })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 120_000 })
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

  const idle = await connectedProducer(
    { ...kafka, kafka: patientClient(kafka) },
    { deliveryTimeoutMs: 1_000 },
  )
  await broker!.freeze()
  const closing = idle.send({ topic: uniqueName('unknown'), key: 'k', value: 'v' })
  const closedAt = performance.now()
  await expect(Promise.all([closing, idle.close()])).rejects.toBeInstanceOf(DeliveryTimeoutError)
  await idle.close()
  // It waits for its records, not for the answer about an unknown topic.
  expect(performance.now() - closedAt).toBeLessThan(patienceMs / 2)
  await broker!.thaw()
})

test('a broker that is silent for longer than a request may take: nothing is lost, nothing turned round', async () => {
  const topic = await createTopic({ partitions: 3, on: kafka })
  const client = impatientClient(kafka)
  const made = vi.spyOn(client, 'cluster')
  const producer = impatientProducer(kafka, {}, client)
  await eventually(() => producer.connect(), { what: 'the connection' })
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
  const topic = await createTopic({ on: kafka })
  const producer = await connectedProducer(kafka, { deliveryTimeoutMs: 1_000 })
  const [broker] = kafka.nodes
  await broker!.kill()
  await expect(producer.send({ topic, key: 'k', value: 'v' })).rejects.toBeInstanceOf(DeliveryTimeoutError)
  await eventually(() => expect(producer.connected).toBe(false), { what: 'the producer to notice' })

  await broker!.start()
  await eventually(() => expect(producer.connected).toBe(true), {
    what: 'the producer to be connected again',
  })
})
