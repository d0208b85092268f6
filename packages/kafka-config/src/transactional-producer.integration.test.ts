import {
  createTopic,
  eventually,
  readTopic,
  startFaultProxy,
  testKafka,
  uniqueName,
  connectTo,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { internal } from './kafkajs-patch/kafkajs-under-test.ts'
import {
  BatchRefusedError,
  ProducerFencedError,
  RecordsRefusedError,
  TransactionFailedError,
  createTransactionalProducer,
} from './transactional-producer.ts'
import type { Broker } from './kafkajs-patch/kafkajs-under-test.ts'
import type { KeyedRecord } from './transaction-requests.ts'
import type { TransactionalProducer } from './transactional-producer.ts'

/** What all brokers do. */
const anyBroker: Broker = internal('broker').prototype

interface Place {
  topic: string
  transactionalId: string
  positions: string
  record(key: string, value: string): KeyedRecord
  producer(on?: ReturnType<typeof testKafka>): TransactionalProducer
}

async function createPlace(
  options: { partitions?: number; configs?: Record<string, string> } = {},
): Promise<Place> {
  const topic = await createTopic({ partitions: 3, ...options })
  const positions = await createTopic({ prefix: 'positions' })
  const transactionalId = uniqueName('transactional')
  return {
    topic,
    transactionalId,
    positions,
    record: (key, value) => ({ topic, key, value }),
    producer(on = testKafka()) {
      const producer = createTransactionalProducer(on.kafka, {
        logger: on.logger,
        transactionalId,
        place: { groupId: transactionalId, topic: positions, partition: 0 },
      })
      onTestFinished(() => producer.close())
      return producer
    },
  }
}

/** On a fresh broker the coordinators are still to be elected. */
function open(producer: TransactionalProducer): Promise<void> {
  return eventually(() => producer.open(), { what: 'the coordinators' })
}

async function valuesOf(topic: string, count?: number): Promise<string[]> {
  const records = await readTopic(topic, count === undefined ? {} : { count })
  return records.map(({ value }) => String(value))
}

test('records and position are committed together, one transaction after the other', async () => {
  const place = await createPlace({ partitions: 1 })
  const producer = place.producer()
  await eventually(
    async () => {
      await producer.open()
      expect(await producer.position()).toBeNull()
    },
    { what: 'the coordinators' },
  )
  for (let i = 1; i <= 20; i++) {
    await producer.publish([place.record('a', `${i}`)], { offset: `${i}`, metadata: `after ${i}` })
  }
  // A position is exact after opening: until then the markers of the last transaction may still be on their way.
  await open(producer)
  expect(await producer.position()).toEqual({ offset: '20', metadata: 'after 20' })
  expect(await valuesOf(place.topic, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `${i + 1}`))
})

test('a transaction of several requests keeps the order of each key', async () => {
  const place = await createPlace()
  const producer = place.producer()
  await open(producer)
  const records = Array.from({ length: 6_000 }, (_, i) =>
    place.record(`key-${i % 7}`, `${i} ${'x'.repeat(1_000)}`),
  )
  await producer.publish(records, { offset: '1', metadata: '' })
  const read = await readTopic(place.topic, { count: 6_000 })
  const next = new Map<string, number>()
  for (const { key, value } of read) {
    const i = Number.parseInt(String(value), 10)
    expect(i).toBe(next.get(String(key)) ?? Number(String(key).slice('key-'.length)))
    next.set(String(key), i + 7)
  }
})

// Two transactional ids take turns: after one record it is the second one's, after two the first one's.
test.each([1, 2])(
  'whoever opens the ids shuts out everybody before, after %i transactions',
  async published => {
    const place = await createPlace()
    const [first, second] = [place.producer(), place.producer()]
    await open(first)
    for (let i = 1; i <= published; i++) {
      await first.publish([place.record('a', `${i}`)], { offset: `${i}`, metadata: '' })
    }
    await open(second)
    expect(await second.position()).toEqual({ offset: `${published}`, metadata: '' })
    await expect(first.publish([place.record('a', 'late')], { offset: '9', metadata: '' })).rejects.toThrow(
      ProducerFencedError,
    )
    await second.publish([place.record('a', 'second')], { offset: '10', metadata: '' })
    const expected = Array.from({ length: published }, (_, i) => `${i + 1}`)
    expect(await valuesOf(place.topic, published + 1)).toEqual([...expected, 'second'])
  },
)

test('two that open the ids at the same time: the earlier one is shut out, which is no failure', async () => {
  const place = await createPlace()
  const [earlier, later] = [place.producer(), place.producer()]
  await open(earlier)
  // What opening anew ends once more: requests under the new epoch.
  await earlier.publish([place.record('a', '1')], { offset: '1', metadata: '' })
  const announcing = vi.spyOn(anyBroker, 'addPartitionsToTxn').mockImplementationOnce(async function (
    this: Broker,
    request,
  ) {
    await open(later)
    return this.addPartitionsToTxn(request)
  })
  onTestFinished(() => announcing.mockRestore())
  const error = await earlier.open().catch((failure: unknown) => failure)
  expect(announcing).toHaveBeenCalled()
  expect(error).toBeInstanceOf(ProducerFencedError)
  expect(error).toMatchObject({ category: 'retryable' })
  expect(await later.position()).toEqual({ offset: '1', metadata: '' })
})

test('what a producer left open when its connection broke is decided by the next open, without waiting for a timeout', async () => {
  const place = await createPlace({ partitions: 1 })
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const cutOff = place.producer(connectTo([proxy.address]))
  const next = place.producer()
  const committed: string[] = []
  for (let round = 1; round <= 15; round++) {
    await open(cutOff)
    const published = cutOff.publish([place.record('a', `${round}`)], { offset: `${round}`, metadata: '' })
    const settled = Promise.allSettled([published])
    // Somewhere between its first request and the answer to its last one.
    await new Promise(resolve => setTimeout(resolve, Math.random() * 12))
    proxy.cut()
    const [outcome] = await settled
    expect(outcome.status === 'fulfilled' || outcome.reason instanceof TransactionFailedError).toBe(true)
    await open(next)
    if ((await next.position())?.offset === `${round}`) committed.push(`${round}`)
  }
  // The position tells exactly which records are there.
  await next.publish([place.record('a', 'end')], { offset: '99', metadata: '' })
  expect(await valuesOf(place.topic, committed.length + 1)).toEqual([...committed, 'end'])
})

test('a record that is too large is refused by itself, and the others are sent', async () => {
  const place = await createPlace({ partitions: 1, configs: { 'max.message.bytes': '10000' } })
  const producer = place.producer()
  const large = place.record('a', 'x'.repeat(20_000))
  const small = Array.from({ length: 100 }, (_, i) => place.record('a', `${i} ${'x'.repeat(500)}`))
  const position = { offset: '1', metadata: '' }

  const attempt = async (records: KeyedRecord[]): Promise<unknown> => {
    await open(producer)
    return producer.publish(records, position).then(
      () => 'published',
      (error: unknown) => error,
    )
  }
  const records = [...small.slice(0, 50), large, ...small.slice(50)]
  let outcome = await attempt(records)
  for (let attempts = 1; outcome instanceof BatchRefusedError && attempts < 10; attempts++) {
    outcome = await attempt(records)
  }
  expect(outcome).toBeInstanceOf(RecordsRefusedError)
  expect(outcome).toMatchObject({
    refusals: [{ topic: place.topic, type: 'MESSAGE_TOO_LARGE', indexes: [50] }],
  })
  expect(await attempt(small)).toBe('published')
  expect((await valuesOf(place.topic, 100)).map(value => Number.parseInt(value, 10))).toEqual(
    Array.from({ length: 100 }, (_, i) => i),
  )
})

test('all records that are too large are refused together, of whatever topic and partition', async () => {
  const places = [
    await createPlace({ partitions: 3, configs: { 'max.message.bytes': '10000' } }),
    await createPlace({ partitions: 1, configs: { 'max.message.bytes': '10000' } }),
  ]
  const records = Array.from({ length: 300 }, (_, i) =>
    places[i % 2]!.record(`key-${i}`, 'x'.repeat(i % 10 < 2 ? 20_000 : 500)),
  )
  const producer = places[0]!.producer()
  let outcome: unknown
  let attempts = 0
  do {
    await open(producer)
    outcome = await producer.publish(records, { offset: '1', metadata: '' }).catch((error: unknown) => error)
    attempts++
  } while (outcome instanceof BatchRefusedError && attempts < 20)
  const refusals = outcome instanceof RecordsRefusedError ? outcome.refusals : []
  expect(refusals.map(({ topic }) => topic).toSorted()).toEqual(places.map(({ topic }) => topic).toSorted())
  expect(refusals.flatMap(({ indexes }) => indexes).toSorted((a, b) => a - b)).toEqual(
    records.flatMap((_, i) => (i % 10 < 2 ? [i] : [])),
  )
})

test('a clock that is too far ahead for the broker fails the transaction, and no record is refused for it', async () => {
  const place = await createPlace()
  const producer = place.producer()
  await open(producer)
  const records = ['1', '2'].map(value => place.record('a', value))
  const position = { offset: '1', metadata: '' }
  // Brokers allow an hour (`message.timestamp.after.max.ms`).
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 })
  onTestFinished(() => void vi.useRealTimers())
  const error = await producer.publish(records, position).catch((failure: unknown) => failure)
  expect(error).toBeInstanceOf(TransactionFailedError)
  expect(error).toMatchObject({ category: 'retryable', type: 'INVALID_TIMESTAMP' })

  vi.useRealTimers()
  await open(producer)
  await producer.publish(records, position)
  expect(await valuesOf(place.topic, 2)).toEqual(['1', '2'])
})

test('a topic that does not exist fails the transaction, to be begun anew', async () => {
  const place = await createPlace()
  const producer = place.producer()
  await open(producer)
  const nowhere = { topic: uniqueName('nowhere'), key: 'a', value: 'b' }
  await expect(producer.publish([nowhere], { offset: '1', metadata: '' })).rejects.toMatchObject({
    category: 'retryable',
    type: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  await open(producer)
  expect(await producer.position()).toBeNull()
})

test('opens while a broker of the list is away', async () => {
  // Nothing listens at the first. Which one is asked first is left to chance, so more than once.
  const twoBrokers = connectTo(['127.0.0.1:1', ...testKafka().brokers])
  for (let round = 0; round < 4; round++) {
    const place = await createPlace()
    const producer = place.producer(twoBrokers)
    await open(producer)
    expect(await producer.position()).toBeNull()
  }
})
