import { EntityCreated, HEADERS, headerText } from '@kafka-pattern/events'
import { createKafka } from '@kafka-pattern/kafka-config'
import {
  createTopic,
  deleteTopic,
  eventually,
  partitionEnds,
  readTopic,
  startFaultProxy,
  startService,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import httpApiEvent from '../events/http-api-v2.json' with { type: 'json' }
import restApiEvent from '../events/rest-api-v1.json' with { type: 'json' }
import { producerConnector } from './connect-producer.ts'
import { keepProducer } from './kept-producer.ts'
import { ada, invoke, logLines, makeBundle, startBundle } from './test-function.ts'

let bundle: Awaited<ReturnType<typeof makeBundle>>
beforeAll(async () => {
  bundle = await makeBundle()
  return () => bundle.remove()
})

test('events of REST and HTTP APIs: the topic is created, 201 says where the record is; what is wrong produces nothing', async () => {
  const topic = uniqueName('made-by-function')
  onTestFinished(() => deleteTopic(testKafka(), topic))
  const lambda = await startBundle(bundle, { KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '4' })
  const answers = [await invoke(lambda, restApiEvent), await invoke(lambda, httpApiEvent)]
  const wrong: [event: unknown, status: number][] = [
    [{ ...restApiEvent, body: null }, 400],
    [{ ...httpApiEvent, body: 'no base64!' }, 400],
    [{ ...restApiEvent, body: '[]' }, 400],
    [[], 400],
    [{ ...restApiEvent, body: 'x'.repeat(7_000_000) }, 413],
  ]
  for (const [event, status] of wrong) expect((await invoke(lambda, event)).statusCode).toBe(status)

  const records = await readTopic(topic)
  expect(records).toHaveLength(2)
  for (const [index, correlationId] of ['rest-api-1', 'http-api-1'].entries()) {
    const { statusCode, headers, body } = answers[index]!
    expect([statusCode, headers['x-correlation-id']]).toEqual([201, correlationId])
    const record = records.find(
      ({ partition, offset }) =>
        String(partition) === headers['x-kafka-partition'] && offset === headers['x-kafka-offset'],
    )
    expect(record?.value?.toString()).toBe(body)
    expect(record?.key?.toString()).toBe(EntityCreated.strict().parse(JSON.parse(body)).id)
    expect(headerText(record?.headers, HEADERS.correlationId)).toBe(correlationId)
    expect(headerText(record?.headers, HEADERS.contentType)).toBe('application/json')
    expect(headerText(record?.headers, HEADERS.eventType)).toBe('create')
    expect(headerText(record?.headers, HEADERS.id)).toMatch(/^[0-9a-f-]{36}$/)
  }
  expect(await partitionEnds(topic)).toHaveLength(4)
})

test('the same requests get the same answers as from simple-producer', async () => {
  const topic = await createTopic()
  const env = { KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '1' }
  const [service, lambda] = [await startService('simple-producer', env), await startBundle(bundle, env)]
  const bodies = [
    ada.body,
    '',
    '{"level":',
    '[]',
    'null',
    '{}',
    '{"level":"1","name":2}',
    '{"level":101,"name":""}',
    'x'.repeat(20_000),
    '{"level":1,"name":"Zoë"}',
    Buffer.from('{"level":1,"name":"Zoë"}', 'latin1'),
    `\u{feff}${ada.body}`,
    `{"__proto__":{},${ada.body.slice(1)}`,
    `{"constructor":{"prototype":{}},${ada.body.slice(1)}`,
  ]
  for (const contentType of ['application/json', 'text/plain']) {
    const headers = { 'content-type': contentType, 'x-correlation-id': 'the-same' }
    for (const body of bodies) {
      const response = await fetch(`${service.url}/create`, { method: 'POST', headers, body })
      const text = await response.text()
      // API Gateway hands over what is no text in base64.
      const event =
        typeof body === 'string'
          ? { ...httpApiEvent, headers, body, isBase64Encoded: false }
          : { ...httpApiEvent, headers, body: body.toString('base64') }
      const answer = await invoke(lambda, event)
      const what = `${body.toString().slice(0, 30)} as ${contentType}`
      expect(answer.statusCode, what).toBe(response.status)
      for (const name of ['content-type', 'x-correlation-id', 'x-kafka-partition']) {
        expect(answer.headers[name], `${name} of ${what}`).toBe(response.headers.get(name) ?? undefined)
      }
      expect(withoutId(answer.body), what).toEqual(withoutId(text))
    }
  }
  expect(await readTopic(topic)).toHaveLength(2 * 3)
})

function withoutId(json: string): unknown {
  return { ...JSON.parse(json), id: null }
}

test('a topic that exists otherwise is used as it is, and one warning names the difference', async () => {
  const topic = await createTopic({ partitions: 2 })
  const lambda = await startBundle(bundle, {
    KAFKA_TOPIC: topic,
    TOPIC_PARTITIONS: '5',
    CONNECTION_MAX_AGE_MS: '0',
  })
  for (let i = 0; i < 3; i++) expect((await invoke(lambda)).statusCode).toBe(201)
  expect(await partitionEnds(topic)).toHaveLength(2)
  const linesOf = (what: string) => logLines(lambda).filter(({ msg }) => msg === what)
  await eventually(() => expect(linesOf('record acknowledged')).toHaveLength(3), { what: 'their lines' })
  const warnings = logLines(lambda).filter(
    ({ level, differences }) => level === 40 && differences !== undefined,
  )
  expect(warnings).toMatchObject([{ topic, differences: [{ what: 'partitions', wanted: '5', found: '2' }] }])
})

test('100 invocations, frozen in between, share one connection', async () => {
  const topic = await createTopic()
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const lambda = await startBundle(bundle, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_TOPIC: topic,
    TOPIC_PARTITIONS: '1',
  })
  expect((await invoke(lambda)).statusCode).toBe(201)
  const { accepted } = proxy
  for (let i = 0; i < 99; i++) expect((await invoke(lambda)).statusCode).toBe(201)
  expect([proxy.accepted, proxy.connections]).toEqual([accepted, 1])
  expect(await readTopic(topic)).toHaveLength(100)
})

test('first invocations at the same time connect once', async () => {
  const topic = await createTopic()
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const { settings, logger } = testKafka()
  const kafka = createKafka({ ...settings, KAFKA_BROKERS: [proxy.address] }, logger)
  const connect = producerConnector(kafka, [{ topic, partitions: 1, replicationFactor: -1 }], logger)
  const kept = keepProducer({
    connect: async signal => {
      const producer = await connect(signal)
      onTestFinished(() => producer.close())
      return producer
    },
    maxAgeMs: 300_000,
    logger,
  })
  const sends = Array.from({ length: 20 }, () =>
    kept.send({ topic, key: 'k', value: 'v' }, performance.now() + 30_000),
  )
  await Promise.all(sends)
  // The producer's, which stays, and the one that looked after the topic.
  await eventually(() => expect([proxy.connections, proxy.accepted]).toEqual([1, 2]), {
    what: 'the connection that stays',
  })
})

test('bad settings end it before its first invocation, with every bad key named', async () => {
  const lambda = await startBundle(bundle, { KAFKA_TOPIC: 'my topic', TOPIC_PARTITIONS: '0' })
  await expect(lambda.invoke(ada)).rejects.toThrow(/KAFKA_TOPIC[\s\S]*TOPIC_PARTITIONS/)
})
