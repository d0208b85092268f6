import kafkajs from 'kafkajs'
import type { BrokerMetadata, Message } from 'kafkajs'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { noLeader } from './destination.ts'
import { DeliveryTimeoutError, RecordRefusedError } from './errors.ts'
import { createGatheringProducer } from './gathering-producer.ts'
import { partitionForKey } from './partitioner.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const unknownPartition = 3
const leaderNotAvailable = 5
const invalidTimestamp = 32

/** The leader of each partition, -1 = none, or the error of the topic. */
type TopicState = { leaders: number[]; errorCode?: undefined } | { leaders?: undefined; errorCode: number }

/** A cluster whose metadata is what the test says; every broker stores what it gets and says who it is by the offset. */
function fakeCluster() {
  const kafka = new kafkajs.Kafka({ brokers: ['127.0.0.1:1'], logLevel: kafkajs.logLevel.NOTHING })
  const client = kafka.cluster({})
  const cluster = {
    /** Ids of the brokers that exist. */
    brokers: [1, 2],
    topics: new Map<string, TopicState>(),
    refreshes: 0,
    /** Awaited by whoever looks for a broker, and by every broker before it answers. */
    connecting: Promise.resolve(),
    answering: Promise.resolve(),
    /** Keys of the records that brokers got. */
    received: [] as string[],
    /** The error code of the answer to a batch, 0 = none. */
    judge: (_batch: readonly Message[]): number => 0,
  }
  vi.spyOn(kafka, 'cluster').mockReturnValue(client)
  vi.spyOn(client, 'disconnect').mockResolvedValue()
  vi.spyOn(client, 'refreshMetadata').mockImplementation(async () => {
    cluster.refreshes++
    const metadata: BrokerMetadata = {
      brokers: cluster.brokers.map(nodeId => ({ nodeId, host: '127.0.0.1', port: nodeId })),
      topicMetadata: [...client.targetTopics].map(topic => {
        const { errorCode: topicErrorCode = 0, leaders = [] } = cluster.topics.get(topic) ?? {}
        const partition = { partitionErrorCode: 0, replicas: [], isr: [] }
        return {
          topic,
          topicErrorCode,
          partitionMetadata: leaders.map((leader, partitionId) => ({ ...partition, partitionId, leader })),
        }
      }),
    }
    Object.assign(client.brokerPool, { metadata })
  })
  const findBroker = vi.spyOn(client, 'findBroker')
  vi.mocked(findBroker, { partial: true }).mockImplementation(async ({ nodeId }) => {
    if (!cluster.brokers.includes(Number(nodeId))) throw new Error(`there is no broker ${nodeId}`)
    await cluster.connecting
    return {
      produce: async ({ topicData }) => {
        for (const { partitions } of topicData)
          for (const { messages } of partitions)
            cluster.received.push(...messages.map(({ key }) => String(key)))
        await cluster.answering
        return {
          topics: topicData.map(({ topic, partitions }) => ({
            topicName: topic,
            partitions: partitions.map(({ partition, messages }) => ({
              partition,
              errorCode: cluster.judge(messages),
              baseOffset: `${nodeId}00`,
            })),
          })),
        }
      },
    }
  })
  const producer = createGatheringProducer(kafka, { logger: pino({ level: 'silent' }) })
  onTestFinished(() => producer.close())
  return { cluster, producer }
}

async function storedBy(send: Promise<{ offset: string }>): Promise<string> {
  const outcome = send.then(
    ({ offset }) => `broker ${Number(offset) / 100}`,
    (error: unknown) => String(error),
  )
  await vi.advanceTimersByTimeAsync(12_000)
  return outcome
}

test('a topic with an error in the metadata while its leader goes: its records reach the next leader', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('moving', { leaders: [2] }).set('other', { leaders: [1] })
  expect(await storedBy(producer.send({ topic: 'moving', key: 'k', value: 'v' }))).toBe('broker 2')

  cluster.brokers = [1]
  cluster.topics.set('moving', { errorCode: leaderNotAvailable })
  expect(await storedBy(producer.send({ topic: 'other', key: 'k', value: 'v' }))).toBe('broker 1')

  cluster.topics.set('moving', { leaders: [1] })
  expect(await storedBy(producer.send({ topic: 'moving', key: 'k', value: 'v' }))).toBe('broker 1')
})

test('a topic with an error in the metadata is asked for until it has none, then no more', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('moving', { leaders: [2] }).set('other', { leaders: [1] })
  expect(await storedBy(producer.send({ topic: 'moving', key: 'k', value: 'v' }))).toBe('broker 2')

  cluster.topics.set('moving', { errorCode: leaderNotAvailable })
  expect(await storedBy(producer.send({ topic: 'other', key: 'k', value: 'v' }))).toBe('broker 1')
  const whileMissing = cluster.refreshes
  await vi.advanceTimersByTimeAsync(5_000)
  expect(cluster.refreshes).toBeGreaterThan(whileMissing)

  cluster.topics.set('moving', { leaders: [2] })
  await vi.advanceTimersByTimeAsync(5_000)
  const whenThere = cluster.refreshes
  await vi.advanceTimersByTimeAsync(30_000)
  expect(cluster.refreshes).toBe(whenThere)
})

test('a topic with an error in the metadata keeps the leader that it had, while that one exists', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('moving', { leaders: [2] }).set('other', { leaders: [1] })
  expect(await storedBy(producer.send({ topic: 'moving', key: 'k', value: 'v' }))).toBe('broker 2')

  cluster.topics.set('moving', { errorCode: leaderNotAvailable })
  expect(await storedBy(producer.send({ topic: 'other', key: 'k', value: 'v' }))).toBe('broker 1')
  expect(await storedBy(producer.send({ topic: 'moving', key: 'k', value: 'v' }))).toBe('broker 2')
})

test('records without a key leave a partition that loses its leader; what waits there waits for the next one', async () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0)
  onTestFinished(() => random.mockRestore())
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1, 2] })
  await storedBy(producer.send({ topic: 'topic', key: 'k', value: 'v' }))

  const waiting = producer.send({ topic: 'topic', key: null, value: 'v' })
  cluster.topics.set('topic', { leaders: [-1, 2] })
  await producer.connect()
  const next = producer.send({ topic: 'topic', key: null, value: 'v' })
  await vi.advanceTimersByTimeAsync(1_000)
  cluster.topics.set('topic', { leaders: [1, 2] })
  expect(await storedBy(next)).toBe('broker 2')
  expect(await storedBy(waiting)).toBe('broker 1')
})

test('a record with a timeout of its own that was not sent by then is never sent; those beside it are', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1] })
  const connected = Promise.withResolvers<void>()
  cluster.connecting = connected.promise
  const patient = producer.send({ topic: 'topic', key: 'patient', value: 'v' })
  const hurried = producer.send({ topic: 'topic', key: 'hurried', value: 'v' }, { timeoutMs: 500 })
  const failure = hurried.catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(500)
  expect(await failure).toMatchObject({ outcomeUnknown: false })
  connected.resolve()
  expect(await storedBy(patient)).toBe('broker 1')
  expect(cluster.received).toEqual(['patient'])
})

test('a record whose own timeout is not below that of all costs no timer', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1] })
  const first = producer.send({ topic: 'topic', key: 'k', value: 'v' })
  const timers = vi.getTimerCount()
  const second = producer.send({ topic: 'topic', key: 'k', value: 'v' }, { timeoutMs: 10_000 })
  expect(vi.getTimerCount()).toBe(timers)
  expect(await storedBy(first)).toBe('broker 1')
  await second
})

test('a record with a timeout of its own that was sent and not answered by then may be stored', async () => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1] })
  const answered = Promise.withResolvers<void>()
  cluster.answering = answered.promise
  const hurried = producer.send({ topic: 'topic', key: 'hurried', value: 'v' }, { timeoutMs: 500 })
  const failure = hurried.catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(500)
  expect(String(await failure)).toMatch(/within 500 ms on topic\[0\]: .*may have been stored/)
  answered.resolve()
  const next = producer.send({ topic: 'topic', key: 'next', value: 'v' }, { timeoutMs: 500 })
  expect(await storedBy(next)).toBe('broker 1')
  expect(cluster.received).toEqual(['hurried', 'next'])
})

test.each([
  ['no number', NaN],
  ['a fraction', 1_700_000_000_000.5],
  ['in nanoseconds', 1_700_000_000_000_000_000],
])('a record whose timestamp is %s is refused at once, and fails nobody else', async (_what, timestamp) => {
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1] })
  const wrong = { topic: 'topic', key: 'wrong', value: 'v', timestamp }
  const right = { topic: 'topic', key: 'right', value: 'v', timestamp: -1 }
  const stored = producer.send(right)
  await expect(producer.send(wrong)).rejects.toThrow(TypeError)
  await expect(producer.sendBatch([right, wrong])).rejects.toThrow(TypeError)
  expect(await storedBy(stored)).toBe('broker 1')
  expect(cluster.received).toEqual(['right'])
})

describe('a topic that the brokers name fewer partitions of', () => {
  /** Keys that belong to the second of two partitions, and to the first. */
  const [second = '', first = ''] = [1, 0].map(id =>
    ['a', 'b', 'c', 'd', 'e'].find(key => partitionForKey(key, 2) === id),
  )

  test('what waited for one that is gone goes to one that is left, and waits no longer for that', async () => {
    const { cluster, producer } = fakeCluster()
    const failedAtMs = new Map<string, number>()
    const startedAtMs = performance.now()
    const send = (key: string) =>
      producer
        .send({ topic: 'topic', key, value: 'v' })
        .catch(() => failedAtMs.set(key, performance.now() - startedAtMs))
    cluster.topics.set('topic', { leaders: [noLeader, noLeader] })
    const sends = [send(second)]
    await vi.advanceTimersByTimeAsync(4_000)
    sends.push(send(first))
    cluster.topics.set('topic', { leaders: [noLeader] })
    await vi.advanceTimersByTimeAsync(12_000)
    await Promise.all(sends)
    expect(failedAtMs.get(second)).toBeCloseTo(10_000, -2)
    expect(failedAtMs.get(first)).toBeCloseTo(14_000, -2)
  })

  test('is taken at the word only when they have said so for two seconds without a break', async () => {
    const { cluster, producer } = fakeCluster()
    cluster.topics.set('topic', { leaders: [1, noLeader] })
    const waiting = producer.send({ topic: 'topic', key: second, value: 'v' })
    await vi.advanceTimersByTimeAsync(100)
    for (const leaders of [[1], [1, noLeader], [1]]) {
      cluster.topics.set('topic', { leaders })
      await producer.connect()
      await vi.advanceTimersByTimeAsync(1_500)
    }
    cluster.topics.set('topic', { leaders: [1, 2] })
    expect(await storedBy(waiting)).toBe('broker 2')
  })

  test('keeps a partition that is gone until the answer for it is there', async () => {
    const { cluster, producer } = fakeCluster()
    cluster.topics.set('topic', { leaders: [1, 2] })
    const answered = Promise.withResolvers<void>()
    cluster.answering = answered.promise
    const sent = producer.send({ topic: 'topic', key: second, value: 'v' })
    await vi.advanceTimersByTimeAsync(100)
    expect(cluster.received).toEqual([second])
    cluster.topics.set('topic', { leaders: [1] })
    for (let seconds = 0; seconds < 4; seconds++) {
      await producer.connect()
      await vi.advanceTimersByTimeAsync(1_000)
    }
    cluster.judge = () => unknownPartition
    answered.resolve()
    await vi.advanceTimersByTimeAsync(10)
    cluster.judge = () => 0
    expect(await storedBy(sent)).toBe('broker 1')
  })
})

/** A cluster that refuses what is more than an hour ahead of its time, for a producer that is two hours ahead. */
function clusterOfThePast() {
  const hourMs = 3_600_000
  const rightMs = Date.now()
  const { cluster, producer } = fakeCluster()
  cluster.topics.set('topic', { leaders: [1] })
  cluster.judge = batch =>
    batch.some(({ timestamp }) => Number(timestamp) > rightMs + hourMs) ? invalidTimestamp : 0
  vi.setSystemTime(rightMs + 2 * hourMs)
  return { cluster, producer, rightMs, aheadMs: rightMs + 2 * hourMs }
}

describe('a clock that is further ahead than the broker takes', () => {
  test('is waited for, and named when the time is over', async () => {
    const { cluster, producer } = clusterOfThePast()
    const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`)
    const failures = keys.map(key =>
      producer.send({ topic: 'topic', key, value: 'v' }).catch((error: unknown) => error),
    )
    await vi.advanceTimersByTimeAsync(10_000)
    for (const error of await Promise.all(failures)) {
      expect(error).toBeInstanceOf(DeliveryTimeoutError)
      expect(error).toMatchObject({ category: 'retryable', outcomeUnknown: false })
      expect(String(error)).toMatch(/not stored .*INVALID_TIMESTAMP.* clocks? of this host/)
    }
    // No search for the one that would be the reason.
    expect(cluster.received.slice(0, 16)).toEqual([...keys, ...keys])
  })

  test('costs no record that waits until it is right again', async () => {
    const { producer, rightMs } = clusterOfThePast()
    const sent = producer.send({ topic: 'topic', key: 'k', value: 'v' })
    await vi.advanceTimersByTimeAsync(3_000)
    vi.setSystemTime(rightMs + 3_000)
    expect(await storedBy(sent)).toBe('broker 1')
  })

  test('a time that the caller gave is refused for that record alone; the others of its batch are stored', async () => {
    const { producer, rightMs, aheadMs } = clusterOfThePast()
    vi.setSystemTime(rightMs)
    const wrong = producer.send({ topic: 'topic', key: 'wrong', value: 'v', timestamp: aheadMs })
    const failure = wrong.catch((error: unknown) => error)
    const right = producer.send({ topic: 'topic', key: 'right', value: 'v' })
    expect(await storedBy(right)).toBe('broker 1')
    expect(await failure).toBeInstanceOf(RecordRefusedError)
    expect(await failure).toMatchObject({ category: 'not retryable', type: 'INVALID_TIMESTAMP' })
  })
})
