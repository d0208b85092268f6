import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { EntityCreated, HEADERS, headerText } from '@kafka-pattern/events'
import {
  createTopic,
  deleteTopic,
  eventually,
  partitionEnds,
  readTopic,
  startService,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { ada, create } from './test-client.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { RunningService } from '@kafka-pattern/test-kit'

type Env = Record<string, string>

async function startProducer(env: Env = {}): Promise<{ service: RunningService; topic: string }> {
  const topic = env.KAFKA_TOPIC ?? (await createTopic({ partitions: 3 }))
  const service = await startService('simple-producer', { KAFKA_TOPIC: topic, ...env })
  return { service, topic }
}

describe('a running service', () => {
  let service: RunningService
  let topic: string
  beforeAll(async () => {
    ;({ service, topic } = await startProducer())
  })
  afterAll(() => service.stop())

  test('201 says where the record really is, and what is stored there', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, level) => create(service, { level, name: `Zoë ${level} 🚀` })),
    )
    const records = await readTopic(topic)
    for (const [level, answer] of answers.entries()) {
      expect(answer.status).toBe(201)
      const { text } = answer
      const entity = EntityCreated.strict().parse(JSON.parse(text))
      expect(entity).toMatchObject({ level, name: `Zoë ${level} 🚀` })
      const record = records.find(
        ({ partition, offset }) =>
          String(partition) === answer.headers.get('x-kafka-partition') &&
          offset === answer.headers.get('x-kafka-offset'),
      )
      expect(record?.value?.toString()).toBe(text)
      expect(record?.key?.toString()).toBe(entity.id)
      expect(headerText(record?.headers, HEADERS.contentType)).toBe('application/json')
      expect(headerText(record?.headers, HEADERS.eventType)).toBe('create')
      expect(headerText(record?.headers, HEADERS.id)).toMatch(/^[0-9a-f-]{36}$/)
    }
    const eventIds = new Set(records.map(({ headers }) => headerText(headers, HEADERS.id)))
    expect(eventIds.size).toBe(records.length)
  })

  test('the correlation id goes from the request into the record, the log and the answer', async () => {
    const own = await create(service, ada, { 'x-correlation-id': 'order-17' })
    expect(own.headers.get('x-correlation-id')).toBe('order-17')
    const made = await create(service)
    const replaced = await create(service, ada, { 'x-correlation-id': 'x'.repeat(500) })
    const ids = [own, made, replaced].map(answer => answer.headers.get('x-correlation-id'))
    expect(ids[1]).toMatch(/^[0-9a-f-]{36}$/)
    expect(ids[2]).toMatch(/^[0-9a-f-]{36}$/)

    const records = await readTopic(topic)
    const inRecords = records.map(({ headers }) => headerText(headers, HEADERS.correlationId))
    expect(inRecords).toEqual(expect.arrayContaining(ids))
    const [record] = records.filter(
      ({ headers }) => headerText(headers, HEADERS.correlationId) === 'order-17',
    )
    const line = await service.waitForLog(({ correlationId }) => correlationId === 'order-17')
    expect(line).toMatchObject({
      msg: 'record acknowledged',
      topic,
      partition: record?.partition,
      offset: record?.offset,
      key: record?.key?.toString(),
    })
  })

  test('a wrong body gets 4xx with its fields named, and nothing of it reaches the topic', async () => {
    const endsBefore = await endOffsets(topic)
    const wrong: [body: unknown, status: number, fields: string[] | null][] = [
      ['', 400, ['body']],
      ['not json', 400, ['body']],
      ['{"level":1,"name":"a"', 400, ['body']],
      ['null', 400, ['body']],
      [[], 400, ['body']],
      ['"text"', 400, ['body']],
      ['{"__proto__":{},"level":1,"name":"a"}', 400, ['body']],
      [Buffer.from('{"level":1,"name":"Zoë"}', 'latin1'), 400, ['body']],
      [{}, 400, ['level', 'name']],
      [{ name: 'a' }, 400, ['level']],
      [{ level: 1 }, 400, ['name']],
      [{ level: '1', name: 'a' }, 400, ['level']],
      [{ level: 1, name: 2 }, 400, ['name']],
      [{ level: true, name: null }, 400, ['level', 'name']],
      [{ level: 1.5, name: 'a' }, 400, ['level']],
      [{ level: -1, name: 'a' }, 400, ['level']],
      [{ level: 101, name: 'a' }, 400, ['level']],
      ['{"level":1e400,"name":"a"}', 400, ['level']],
      [{ level: 1, name: '' }, 400, ['name']],
      [{ level: 1, name: 'x'.repeat(201) }, 400, ['name']],
      [{ level: 1, name: 'x'.repeat(1_000_000) }, 413, null],
    ]
    for (const [body, status, fields] of wrong) {
      const what = JSON.stringify(body).slice(0, 50)
      const answer = await create(service, body)
      expect([what, answer.status, answer.fields]).toEqual([what, status, fields])
    }
    for (const contentType of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
      const answer = await create(service, ada, { 'content-type': contentType })
      expect([contentType, answer.status]).toEqual([contentType, 415])
    }
    expect(await endOffsets(topic)).toEqual(endsBefore)
    // The limits themselves are allowed.
    expect((await create(service, { level: 0, name: 'x' })).status).toBe(201)
    expect((await create(service, { level: 100, name: '\u{1f680}'.repeat(100) })).status).toBe(201)
  })

  test('ping, the OpenAPI page, and 404 for what is not there', async () => {
    const ping = await fetch(`${service.url}/ping`)
    expect([ping.status, await ping.text()]).toEqual([200, 'pong'])
    const docs = await fetch(`${service.url}/docs`)
    expect([docs.status, docs.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ])
    const openApi: unknown = await (await fetch(`${service.url}/docs/json`)).json()
    expect(openApi).toMatchObject({ paths: { '/ping': { get: {} }, '/create': { post: {} } } })
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['GET', '/create'],
      ['DELETE', '/create'],
    ]) {
      const answer = await fetch(`${service.url}${path}`, { method: String(method) })
      expect([answer.status, await answer.json()]).toEqual([404, { error: `there is no ${method} ${path}` }])
    }
  })
})

describe('a service set up otherwise', () => {
  test('200 concurrent requests share few produce requests', async () => {
    // The broker stamps each batch that it appends once; one partition, so a produce request is one batch.
    const topic = await createTopic({ configs: { 'message.timestamp.type': 'LogAppendTime' } })
    const { service } = await startProducer({ KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '1', LINGER_MS: '1000' })
    const answers = await Promise.all(Array.from({ length: 200 }, () => create(service)))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 200 }, () => 201))
    const records = await readTopic(topic, { count: 200 })
    expect(new Set(records.map(({ timestamp }) => timestamp)).size).toBeLessThan(20)
  })

  test('a full queue answers 503 with Retry-After at once, and what was accepted is stored', async () => {
    const { service, topic } = await startProducer({
      MAX_QUEUED_RECORDS: '1',
      LINGER_MS: '5000',
      REQUEST_TIMEOUT_MS: '20000',
    })
    const answers = await Promise.all([create(service), create(service), create(service)])
    const refused = answers.filter(({ status }) => status === 503)
    expect([answers.filter(({ status }) => status === 201).length, refused.length]).toEqual([1, 2])
    for (const { retryAfter } of refused) expect(retryAfter).toBeGreaterThan(0)
    expect(await readTopic(topic)).toHaveLength(1)
    expect((await create(service)).status).toBe(201)
  })

  test('a missing topic is created with the partitions that were set', async () => {
    const topic = uniqueName('made-by-service')
    onTestFinished(() => deleteTopic(testKafka(), topic))
    const { service } = await startProducer({ KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '4' })
    expect((await create(service)).status).toBe(201)
    expect(await endOffsets(topic)).toHaveLength(4)
  })
})

describe('stopping', () => {
  test('under load: everything answered 201 is on the topic, nothing else is, and it ends with 0', async () => {
    const { service, topic } = await startProducer()
    const acknowledged: string[] = []
    const refused: number[] = []
    const clients = Array.from({ length: 32 }, async () => {
      for (;;) {
        try {
          const { status, text } = await create(service)
          if (status !== 201) return refused.push(status)
          acknowledged.push(EntityCreated.parse(JSON.parse(text)).id)
        } catch (error) {
          // The port is closed. Had the request got through, its record would be there without a 201.
          if (error instanceof TypeError) return null
          throw error
        }
      }
    })
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(200), { what: 'load' })
    const exit = await service.stop()
    await Promise.all(clients)

    expect(exit).toBe(0)
    expect(refused.filter(status => status !== 503)).toEqual([])
    const stored = (await readTopic(topic)).map(({ key }) => String(key))
    expect(stored.toSorted()).toEqual(acknowledged.toSorted())
  })

  test('a request in flight is finished, a later one on an open connection gets 503; both connections close', async () => {
    // Lingers until the drain has begun.
    const { service, topic } = await startProducer({ LINGER_MS: '8000', REQUEST_TIMEOUT_MS: '20000' })
    const body = JSON.stringify(ada)
    const head = `POST /create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
    const early = await openConnection(service.url)
    early.send(`${head}\r\n${body}`)
    const late = await openConnection(service.url)
    // Begun, so that the connection is not idle; what it asks for comes after the drain has begun.
    late.send(head)
    // Answered after all that was sent before it was read.
    await (await fetch(`${service.url}/ping`)).text()
    const stopped = service.stop()
    await service.waitForLog(({ msg }) => msg === 'draining')
    late.send(`\r\n${body}`)

    const refused = await late.answer
    expect(refused).toMatch(/^HTTP\/1.1 503 /)
    expect(refused).toMatch(/\r\nretry-after: [1-9]/)
    expect(refused).toContain('\r\nconnection: close\r\n')
    const finished = await early.answer
    expect(finished).toMatch(/^HTTP\/1.1 201 /)
    expect(finished).toContain('\r\nconnection: close\r\n')
    expect(await stopped).toBe(0)
    expect(await readTopic(topic)).toHaveLength(1)
  })
})

describe('a caller that sends half a body', () => {
  const halfARequest =
    'POST /create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"level"'

  test('is cut off by the request timeout', async () => {
    const { service } = await startProducer({ REQUEST_TIMEOUT_MS: '1000' })
    const slow = await openConnection(service.url)
    const sentAtMs = performance.now()
    slow.send(halfARequest)
    expect(await slow.answer).toMatch(/^HTTP\/1.1 408 /)
    // Node by itself looks only every 30 s.
    expect(performance.now() - sentAtMs).toBeLessThan(20_000)
  })

  test('and the rest late has what is left of the request timeout, not all of it again', async () => {
    // The record would be stored after 29 s.
    const { service, topic } = await startProducer({ REQUEST_TIMEOUT_MS: '24000', LINGER_MS: '12000' })
    const slow = await openConnection(service.url)
    const body = JSON.stringify(ada)
    slow.send(
      `POST /create HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    await delay(17_000)
    slow.send(body)
    const answer = await slow.answer
    expect(answer).toMatch(/^HTTP\/1.1 503 /)
    expect(answer).toContain('was not stored')
    expect(await service.stop()).toBe(0)
    expect(await readTopic(topic)).toEqual([])
  })

  test('does not hold up a stop for longer than a request may take', async () => {
    const { service, topic } = await startProducer({ REQUEST_TIMEOUT_MS: '2000' })
    const slow = await openConnection(service.url)
    slow.send(halfARequest)
    // Answered after all that was sent before it was read.
    await (await fetch(`${service.url}/ping`)).text()
    const stoppedAtMs = performance.now()
    expect(await service.stop()).toBe(0)
    // Well before SHUTDOWN_TIMEOUT_MS would end it, with another exit code.
    expect(performance.now() - stoppedAtMs).toBeLessThan(20_000)
    expect(await slow.answer).not.toContain(' 201 ')
    expect(await readTopic(topic)).toEqual([])
  })

  test('and the rest of it when the service stops is answered 503', async () => {
    const { service, topic } = await startProducer({ REQUEST_TIMEOUT_MS: '20000' })
    const slow = await openConnection(service.url)
    const body = JSON.stringify(ada)
    const head = `POST /create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    slow.send(head + body.slice(0, 5))
    await (await fetch(`${service.url}/ping`)).text()
    const stopped = service.stop()
    await service.waitForLog(({ msg }) => msg === 'draining')
    slow.send(body.slice(5))
    expect(await slow.answer).toMatch(/^HTTP\/1.1 503 /)
    expect(await stopped).toBe(0)
    expect(await readTopic(topic)).toEqual([])
  })
})

describe('what is set wrong', () => {
  test('bad settings end it at once: every key named, exit code 78', async () => {
    const service = await startService(
      'simple-producer',
      { PORT: 'http', KAFKA_TOPIC: 'a b', LINGER_MS: '-1' },
      { waitReady: false },
    )
    expect(await service.waitForExit()).toBe(78)
    for (const key of ['PORT', 'KAFKA_TOPIC', 'LINGER_MS'])
      expect(service.stderrLines.join('\n')).toContain(key)
  })

  test('a port in use ends it with one sentence and exit code 69', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    onTestFinished(() => void holder.close())
    const address = holder.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const service = await startService('simple-producer', { PORT: port }, { waitReady: false })
    expect(await service.waitForExit()).toBe(69)
    expect(service.stderrLines.filter(line => line !== '')).toEqual([
      expect.stringMatching(`port ${port} .*PORT`),
    ])
  })
})

async function endOffsets(topic: string): Promise<string[]> {
  return (await partitionEnds(topic)).map(({ high }) => high)
}

/** A connection whose bytes are sent as they are; `answer` is all that came until it was closed. */
async function openConnection(
  url: string,
): Promise<{ send: (text: string) => void; answer: Promise<string> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  let received = ''
  socket.on('data', (text: string) => (received += text))
  return { send: text => void socket.write(text), answer: once(socket, 'close').then(() => received) }
}
