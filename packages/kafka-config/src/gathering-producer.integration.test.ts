import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import {
  connectTo,
  createTopic,
  deleteTopic,
  eventually,
  Ledger,
  readTopic,
  startFaultProxy,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import type { TestKafka } from '@kafka-pattern/test-kit'
import type { Broker as KafkajsBroker } from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  BatchSendError,
  ConnectError,
  ProducerClosedError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
} from './errors.ts'
import { createGatheringProducer } from './gathering-producer.ts'
import type { GatheringProducer, GatheringProducerOptions } from './gathering-producer.ts'

async function connectedProducer(
  options: Partial<GatheringProducerOptions> = {},
  on: TestKafka = testKafka(),
): Promise<GatheringProducer> {
  const producer = createGatheringProducer(on.kafka, {
    logger: on.logger,
    deliveryTimeoutMs: 60_000,
    ...options,
  })
  onTestFinished(() => producer.close())
  await producer.connect()
  return producer
}

function countProduceRequests(): () => number {
  const Broker: { prototype: KafkajsBroker } = createRequire(import.meta.url)('kafkajs/src/broker')
  const produce = vi.spyOn(Broker.prototype, 'produce')
  onTestFinished(() => produce.mockRestore())
  return () => produce.mock.calls.length
}

test('each of 10,000 concurrent sends learns where its own record is, in far fewer requests than records', async () => {
  const topic = await createTopic({ partitions: 6 })
  const producer = await connectedProducer()
  const requests = countProduceRequests()

  const claims = await Promise.all(
    Array.from({ length: 10_000 }, async (_, i) => {
      const record = { topic, key: i % 10 === 0 ? null : `key-${i % 500}`, value: `value-${i}` }
      return { ...(await producer.send(record)), value: record.value }
    }),
  )

  expect(requests()).toBeLessThan(100)
  const stored = new Map(
    (await readTopic(topic)).map(({ partition, offset, value }) => [`${partition}/${offset}`, String(value)]),
  )
  expect(stored.size).toBe(10_000)
  for (const { partition, offset, value } of claims) expect(stored.get(`${partition}/${offset}`)).toBe(value)
})

test('what is sent within a linger leaves in one request, whoever sends it and to whichever topic', async () => {
  const topics = [await createTopic({ partitions: 3 }), await createTopic({ partitions: 3 })]
  // For as long as the sends may take on a busy machine.
  const producer = await connectedProducer({ lingerMs: 10_000 })
  const requests = countProduceRequests()

  const sends: Promise<unknown>[] = []
  for (const topic of topics) {
    for (const key of ['a', 'b', 'c']) {
      sends.push(producer.send({ topic, key, value: key }))
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
  await Promise.all(sends)
  expect(requests()).toBe(1)

  const later = producer.send({ topic: topics[0]!, key: 'a', value: 'later' })
  await producer.close()
  await later
  expect(requests()).toBe(2)
})

test('what fills a batch does not wait for the linger', async () => {
  const topic = await createTopic()
  const producer = await connectedProducer({ lingerMs: 120_000, batchBytes: 10_000 })
  const record = { topic, key: 'k', value: 'x'.repeat(1_000) }
  expect(await Promise.all(Array.from({ length: 12 }, () => producer.send(record)))).toHaveLength(12)
})

test('a record arrives as it was given, with the time of the call', async () => {
  const topic = await createTopic()
  const producer = await connectedProducer({ lingerMs: 200 })
  const bytes = Buffer.from([0, 255, 1, 254])
  const calledAt = Date.now()
  const sends = [
    producer.send({
      topic,
      key: 'ключ',
      value: '{"ü":1}',
      headers: { text: 'ß', bytes, many: ['1', '2'], none: null },
    }),
    producer.send({ topic, key: bytes, value: bytes, timestamp: 1_234_567_890_123 }),
    producer.send({ topic, key: 'tombstone', value: null }),
    producer.send({ topic, key: null, value: '' }),
  ]
  const calledUntil = Date.now()
  await Promise.all(sends)

  const [first, second, third, fourth] = await readTopic(topic)
  expect(String(first!.key)).toBe('ключ')
  expect(String(first!.value)).toBe('{"ü":1}')
  expect(String(first!.headers['text'])).toBe('ß')
  expect(first!.headers['bytes']).toEqual(bytes)
  expect(first!.headers['none']).toBeNull()
  expect([first!.headers['many']].flat().map(String)).toEqual(['1', '2'])
  expect(Number(first!.timestamp)).toBeGreaterThanOrEqual(calledAt)
  expect(Number(first!.timestamp)).toBeLessThanOrEqual(calledUntil)
  expect(second!.key).toEqual(bytes)
  expect(second!.value).toEqual(bytes)
  expect(second!.timestamp).toBe('1234567890123')
  expect(third!.value).toBeNull()
  expect(fourth!.key).toBeNull()
  expect(fourth!.value).toEqual(Buffer.alloc(0))
})

test('a key always goes to the partition that kafkajs, and so Java, gives it; without keys all partitions get some', async () => {
  const topic = await createTopic({ partitions: 5 })
  const producer = await connectedProducer()
  const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`)
  const stock = testKafka().kafka.producer()
  await stock.connect()
  onTestFinished(() => stock.disconnect())

  for (const key of keys) {
    const [expected] = await stock.send({ topic, messages: [{ key, value: 'stock' }] })
    expect((await producer.send({ topic, key, value: 'ours' })).partition).toBe(expected!.partition)
  }
  expect((await producer.send({ topic, key: keys[0]!, value: 'forced', partition: 3 })).partition).toBe(3)
  const keyless = new Set<number>()
  await eventually(
    async () => {
      keyless.add((await producer.send({ topic, key: null, value: 'any' })).partition)
      expect(keyless.size).toBe(5)
    },
    { what: 'records without a key on every partition' },
  )
})

test('sendBatch answers in the order of the array', async () => {
  const topic = await createTopic({ partitions: 4 })
  const producer = await connectedProducer()
  const records = Array.from({ length: 5_000 }, (_, i) => ({ topic, key: `key-${i % 40}`, value: `v${i}` }))

  const metadata = await producer.sendBatch(records)

  const stored = new Map((await readTopic(topic)).map(r => [`${r.partition}/${r.offset}`, String(r.value)]))
  expect(metadata.map(({ partition, offset }) => stored.get(`${partition}/${offset}`))).toEqual(
    records.map(({ value }) => value),
  )
  expect(await producer.sendBatch([])).toEqual([])
})

test('one record that is too large for its topic fails alone, wherever it stands', async () => {
  const topic = await createTopic({ configs: { 'max.message.bytes': '20000' } })
  const other = await createTopic()
  const producer = await connectedProducer()
  const small = 'x'.repeat(300)

  const outcomes = await Promise.allSettled([
    ...Array.from({ length: 500 }, (_, i) =>
      producer.send({ topic, key: `k${i}`, value: i === 237 ? 'x'.repeat(50_000) : small }),
    ),
    producer.send({ topic: other, key: 'k', value: small }),
  ])

  const failed = outcomes.flatMap((outcome, i) => (outcome.status === 'rejected' ? [{ i, outcome }] : []))
  expect(failed.map(({ i }) => i)).toEqual([237])
  expect(failed[0]!.outcome.reason).toBeInstanceOf(RecordTooLargeError)
  const keys = (await readTopic(topic)).map(({ key }) => String(key))
  expect(keys).toEqual(Array.from({ length: 500 }, (_, i) => `k${i}`).filter(key => key !== 'k237'))
})

test('one record that the broker finds invalid fails alone, and the batches grow back', async () => {
  const topic = await createTopic({ configs: { 'cleanup.policy': 'compact' } })
  const producer = await connectedProducer()
  const keyless = new Set([3, 400])
  const records = Array.from({ length: 600 }, (_, i) => ({
    topic,
    key: keyless.has(i) ? null : `k${i}`,
    value: `v${i}`,
  }))
  const requests = countProduceRequests()

  const error: unknown = await producer.sendBatch(records).catch((cause: unknown) => cause)

  expect(error).toBeInstanceOf(BatchSendError)
  expect(error).toMatchObject({
    category: 'not retryable',
    outcomes: records.map((_record, i) =>
      keyless.has(i) ? { name: 'RecordRefusedError', type: 'INVALID_RECORD' } : { topic, partition: 0 },
    ),
  })
  expect(await readTopic(topic)).toHaveLength(598)
  // By halves, and then by doubles: not one by one.
  expect(requests()).toBeLessThan(60)
})

test('what cannot be sent is refused at once, and holds up nobody', async () => {
  const topic = await createTopic({ partitions: 2 })
  const missing = uniqueName('missing')
  const producer = await connectedProducer()

  const refused = await Promise.allSettled([
    producer.send({ topic, key: 'k', value: Buffer.alloc(1024 * 1024) }),
    producer.send({ topic, key: 'k', value: 'v', partition: 2 }),
    // @ts-expect-error what JavaScript callers can do
    producer.send({ topic, key: 'k', value: 42 }),
    producer.send({ topic: 'not a topic name', key: 'k', value: 'v' }),
    producer.send({ topic: missing, key: 'k', value: 'v' }),
  ])
  const stored = await producer.send({ topic, key: 'k', value: 'v' })

  expect(refused.map(outcome => outcome.status === 'rejected' && outcome.reason)).toEqual([
    expect.any(RecordTooLargeError),
    expect.objectContaining({ name: 'RecordRefusedError', type: 'UNKNOWN_TOPIC_OR_PARTITION', partition: 2 }),
    expect.any(TypeError),
    expect.objectContaining({ name: 'RecordRefusedError', type: 'INVALID_TOPIC_EXCEPTION' }),
    expect.objectContaining({
      name: 'RecordRefusedError',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: missing,
    }),
  ])
  expect(stored.offset).toBe('0')
})

test('a topic that is created after the first send to it was refused can be used', async () => {
  const topic = uniqueName('later')
  const producer = await connectedProducer()
  await expect(producer.send({ topic, key: 'k', value: 'v' })).rejects.toBeInstanceOf(RecordRefusedError)
  await createTopic({ topic })
  expect(await producer.send({ topic, key: 'k', value: 'v' })).toEqual({ topic, partition: 0, offset: '0' })
})

test('a topic that is made anew with fewer partitions gets the records of every key', async () => {
  const topic = await createTopic({ partitions: 6 })
  const producer = await connectedProducer()
  const sendAll = () =>
    Promise.all(Array.from({ length: 50 }, (_, i) => producer.send({ topic, key: `key-${i}`, value: 'v' })))
  expect(new Set((await sendAll()).map(({ partition }) => partition)).size).toBe(6)

  await deleteTopic(testKafka(), topic)
  await createTopic({ topic, partitions: 2 })

  expect(new Set((await sendAll()).map(({ partition }) => partition))).toEqual(new Set([0, 1]))
})

test('a full queue says so at once, by records and by bytes, and takes records again when it has room', async () => {
  const topic = await createTopic()
  const producer = await connectedProducer({ maxQueuedRecords: 10, maxQueuedBytes: 5_000 })
  const record = { topic, key: 'k', value: 'v' }
  const accepted = Array.from({ length: 10 }, () => producer.send(record))

  await expect(producer.send(record)).rejects.toBeInstanceOf(QueueFullError)
  await expect(producer.sendBatch([record])).rejects.toBeInstanceOf(QueueFullError)
  expect(await Promise.all(accepted)).toHaveLength(10)
  await expect(producer.send({ ...record, value: 'x'.repeat(5_000) })).rejects.toBeInstanceOf(QueueFullError)
  expect((await producer.send(record)).offset).toBe('10')
})

test('close sends what waits, without lingering, before it resolves; afterwards nothing is accepted', async () => {
  const topic = await createTopic({ partitions: 3 })
  const producer = await connectedProducer({ lingerMs: 120_000 })
  const settled: string[] = []
  const sends = Array.from({ length: 1_000 }, (_, i) =>
    producer.send({ topic, key: `k${i}`, value: 'v' }).then(({ offset }) => settled.push(offset)),
  )

  const closing = [producer.close(), producer.close()]
  await expect(producer.send({ topic, key: 'k', value: 'v' })).rejects.toBeInstanceOf(ProducerClosedError)
  await Promise.all(closing)

  expect(settled).toHaveLength(1_000)
  await Promise.all(sends)
  expect(await readTopic(topic)).toHaveLength(1_000)
  await expect(producer.connect()).rejects.toBeInstanceOf(ProducerClosedError)
})

test('a closed producer leaves nothing behind that keeps the process alive', async () => {
  const topic = await createTopic()
  const script = `
    import { pino } from 'pino'
    import { createGatheringProducer, createKafka } from '@kafka-pattern/kafka-config'
    const logger = pino({ level: 'silent' })
    const producer = createGatheringProducer(createKafka(${JSON.stringify(testKafka().settings)}, logger), { logger })
    await producer.connect()
    const { offset } = await producer.send({ topic: '${topic}', key: 'k', value: 'v' })
    await producer.close()
    console.log(offset, process.getActiveResourcesInfo().filter(resource => resource === 'Timeout'))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    // A package that has both as dependencies.
    cwd: new URL('../../dead-letter', import.meta.url),
    timeout: 60_000,
  })
  expect(stdout.trim()).toBe('0 []')
})

test('connect says that no broker answers; the same producer connects when one does', async () => {
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const topic = await createTopic()
  const on = connectTo([proxy.address])
  await proxy.refuse()
  const producer = createGatheringProducer(on.kafka, { logger: on.logger, deliveryTimeoutMs: 60_000 })
  onTestFinished(() => producer.close())

  const error = await producer.connect().catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(ConnectError)
  expect(error).toMatchObject({ category: 'retryable' })
  expect(producer.connected).toBe(false)

  await proxy.restore()
  await producer.connect()
  expect(producer.connected).toBe(true)
  expect((await producer.send({ topic, key: 'k', value: 'v' })).offset).toBe('0')
})

test('records sent before the first connection, while no broker answers, are stored once one does', async () => {
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const topic = await createTopic()
  const on = connectTo([proxy.address])
  await proxy.refuse()
  const producer = createGatheringProducer(on.kafka, { logger: on.logger, deliveryTimeoutMs: 60_000 })
  onTestFinished(() => producer.close())
  const send = producer.send({ topic, key: 'k', value: 'v' })
  await expect(producer.connect()).rejects.toBeInstanceOf(ConnectError)
  await proxy.restore()
  expect((await send).offset).toBe('0')
})

test('connections that are cut again and again lose nothing and turn nothing round', async () => {
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const topic = await createTopic({ partitions: 3 })
  const producer = await connectedProducer({}, connectTo([proxy.address]))
  proxy.delay(3)
  const ledger = new Ledger()
  const until = performance.now() + 4_000
  const cuts = (async () => {
    while (performance.now() < until) {
      await new Promise(resolve => setTimeout(resolve, 150 + Math.random() * 300))
      proxy.cut()
    }
  })()
  const sends: Promise<unknown>[] = []
  for (let sequence = 0; performance.now() < until; sequence++) {
    for (let k = 0; k < 10; k++) {
      sends.push(
        producer
          .send({ topic, key: `key-${k}`, value: String(sequence) })
          .then(() => ledger.sent(`key-${k}`, sequence)),
      )
    }
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  await cuts
  await Promise.all(sends)

  for (const { key, value, partition, offset } of await readTopic(topic)) {
    ledger.seen(String(key), Number(value), `${partition}/${offset}`)
  }
  const { total, faults } = ledger.report()
  expect(total.sent).toBe(sends.length)
  // A request that was stored, but whose answer was cut off, is sent again: that is at least once.
  expect(faults.filter(fault => !fault.startsWith('duplicated'))).toEqual([])
})
