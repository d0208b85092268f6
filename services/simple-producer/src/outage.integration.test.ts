import { EntityCreated } from '@kafka-pattern/events'
import {
  createTopic,
  eventually,
  readTopic,
  startOwnKafka,
  startService,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ada, create } from './test-client.ts'
import type { OwnKafka, RunningService } from '@kafka-pattern/test-kit'

/** Above what a healthy answer takes on a busy machine, below what a person waits for a test. */
const requestTimeoutMs = 3_000
/** For the way of the answer itself, on a machine that runs a whole test suite. */
const slackMs = 1_500

const Probe = /"waitingFor":\[([^\]]*)\]/

describe('with one broker', () => {
  let kafka: OwnKafka
  let topic: string
  beforeAll(async () => {
    kafka = await startOwnKafka()
    return () => kafka.stop()
  })
  beforeEach(async () => {
    topic = await createTopic({ on: kafka, partitions: 3 })
  })
  // A test that failed on the way must not fail the next ones.
  afterEach(async () => {
    const [node] = kafka.nodes
    if (await node?.isRunning()) await node?.thaw()
    else await node?.start()
  })

  function startProducer(options: { waitReady?: boolean } = {}): Promise<RunningService> {
    const env = {
      KAFKA_BROKERS: kafka.brokers.join(','),
      KAFKA_TOPIC: topic,
      REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
    }
    return startService('simple-producer', env, options)
  }

  test('down at start: it waits, says for what, answers 503 at once, and serves when the broker is there', async () => {
    await kafka.nodes[0]?.kill()
    const service = await startProducer({ waitReady: false })
    await service.waitForLog(({ msg }) => msg === 'listening')
    const waiting = await service.waitForLog(({ msg }) => msg === 'waiting for a Kafka broker to answer')
    expect(waiting).toMatchObject({ level: 40, attempt: expect.any(Number), reason: expect.any(String) })
    const readiness = await fetch(`${service.probeUrl}/readyz`)
    expect([readiness.status, Probe.exec(await readiness.text())?.[1]]).toEqual([
      503,
      expect.stringContaining('"Kafka"'),
    ])
    const { status, retryAfter, tookMs } = await timed(() => create(service))
    expect([status, retryAfter > 0]).toEqual([503, true])
    expect(tookMs).toBeLessThan(1_000)

    await kafka.nodes[0]?.start()
    await service.waitForLog(({ msg }) => msg === 'ready')
    expect((await create(service)).status).toBe(201)
    expect((await readTopic(topic, { on: kafka })).length).toBe(1)
    // No crash loop: it is the same process, and it ends in order.
    expect(await service.stop()).toBe(0)
  })

  test.each([
    ['killed', 'kill', 'start'],
    ['frozen', 'freeze', 'thaw'],
  ] as const)(
    '%s while serving: 503 within the request timeout, never 201; then 201 again without a restart',
    async (_what, takeAway, bringBack) => {
      const service = await startProducer()
      const before = await create(service)
      expect(before.status).toBe(201)

      await kafka.nodes[0]?.[takeAway]()
      const during = await Promise.all(Array.from({ length: 5 }, () => timed(() => create(service))))
      for (const { status, retryAfter, tookMs } of during) {
        expect([status, retryAfter > 0]).toEqual([503, true])
        expect(tookMs).toBeLessThan(requestTimeoutMs + slackMs)
      }
      await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(503), {
        what: 'readiness to be withdrawn',
      })

      await kafka.nodes[0]?.[bringBack]()
      // First without a request: who takes an unready service out of rotation sends none.
      await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(200), {
        what: 'readiness to come back',
      })
      const after = await eventually(
        async () => {
          const answer = await create(service)
          expect(answer.status).toBe(201)
          return answer
        },
        { what: '201 after the outage' },
      )
      // What was answered 201 is there; what was answered 503 may be, as it says.
      const stored = new Set((await readTopic(topic, { on: kafka })).map(({ key }) => String(key)))
      for (const { text } of [before, after])
        expect(stored).toContain(EntityCreated.parse(JSON.parse(text)).id)
      expect(await service.stop()).toBe(0)
    },
  )
})

test('a partition without a leader: its records are answered 503, those of the others 201, until it has one again', async () => {
  const kafka = await startOwnKafka({ brokers: 3 })
  // One replica each: with its broker a partition loses its only possible leader.
  const topic = await createTopic({ on: kafka, partitions: 3, configs: { 'min.insync.replicas': '1' } })
  const service = await startService('simple-producer', {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC: topic,
    REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
  })
  const leaders = await leadersOf(kafka, topic)
  const lost = 0
  const node = kafka.nodes.find(({ id }) => id === leaders[lost])
  await node?.kill()
  await eventually(() => expect(leadersOf(kafka, topic)).rejects.toThrow('no leader'), {
    what: 'the partition to be without a leader',
  })

  const during = await Promise.all(Array.from({ length: 40 }, () => timed(() => create(service, ada))))
  const acknowledged = during.filter(({ status }) => status === 201)
  const refused = during.filter(({ status }) => status === 503)
  expect(acknowledged.length + refused.length).toBe(40)
  expect(refused.length).toBeGreaterThan(0)
  for (const { retryAfter, tookMs } of refused) {
    expect(retryAfter).toBeGreaterThan(0)
    expect(tookMs).toBeLessThan(requestTimeoutMs + slackMs)
  }
  const others = new Set(acknowledged.map(({ headers }) => headers.get('x-kafka-partition')))
  expect(others.size).toBeGreaterThan(0)
  expect(others).not.toContain(String(lost))

  await node?.start()
  await eventually(
    async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => create(service)))
      const partitions = answers.map(({ headers }) => headers.get('x-kafka-partition'))
      expect(partitions).toContain(String(lost))
      expect(partitions).not.toContain(null)
    },
    { what: '201 for every partition' },
  )
})

test('two of three brokers down: 503; what was answered 201 is there, even when the third dies after the two came back', async () => {
  const { kafka, service, createSome, untilAllAreStored, lost } = await startOnThreeBrokers()
  await untilAllAreStored()

  const [first, second, third] = kafka.nodes
  // Requests are under way when the two die: some of their records reach the third one alone.
  const dying = createSome()
  await Promise.all([first!.kill(), second!.kill()])
  await dying
  for (const { status, retryAfter, tookMs } of await createSome()) {
    expect([status, retryAfter > 0]).toEqual([503, true])
    expect(tookMs).toBeLessThan(requestTimeoutMs + slackMs)
  }

  await Promise.all([first!.start(), second!.start()])
  await untilAllAreStored()
  await third!.kill()
  await untilAllAreStored()
  expect(await lost()).toEqual([])
  expect(await service.stop()).toBe(0)
}, 180_000)

test('all three brokers killed under load: what was answered 201 is there when they are back', async () => {
  const { kafka, service, createSome, untilAllAreStored, lost } = await startOnThreeBrokers()
  await untilAllAreStored()

  const dying = createSome()
  await Promise.all(kafka.nodes.map(node => node.kill()))
  await dying
  for (const { status } of await createSome()) expect(status).toBe(503)

  await Promise.all(kafka.nodes.map(node => node.start()))
  await untilAllAreStored()
  expect(await lost()).toEqual([])
  expect(await service.stop()).toBe(0)
}, 180_000)

/** The service on a topic with three replicas, and a memory of what it acknowledged. */
async function startOnThreeBrokers() {
  const kafka = await startOwnKafka({ brokers: 3, heapBytes: 256 * 1024 * 1024 })
  const topic = uniqueName('replicated')
  const service = await startService('simple-producer', {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC: topic,
    REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
  })
  const acknowledged: string[] = []
  const createSome = async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => timed(() => create(service))))
    const stored = answers.filter(({ status }) => status === 201)
    acknowledged.push(...stored.map(({ text }) => EntityCreated.parse(JSON.parse(text)).id))
    return answers
  }
  const untilAllAreStored = () =>
    eventually(
      async () => {
        for (const { status } of await createSome()) expect(status).toBe(201)
      },
      { what: '201 on every partition', timeoutMs: 60_000 },
    )
  /** The acknowledged ones that cannot be read. */
  const lost = async () => {
    const stored = new Set((await readTopic(topic, { on: kafka })).map(({ key }) => String(key)))
    return acknowledged.filter(id => !stored.has(id))
  }
  return { kafka, service, createSome, untilAllAreStored, lost }
}

async function leadersOf(kafka: OwnKafka, topic: string): Promise<number[]> {
  const { topics } = await withAdmin(kafka, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const partitions = topics[0]?.partitions.toSorted((a, b) => a.partitionId - b.partitionId) ?? []
  return partitions.map(({ leader }) => leader)
}

async function timed<T extends object>(work: () => Promise<T>): Promise<T & { tookMs: number }> {
  const startedAtMs = performance.now()
  const result = await work()
  return { ...result, tookMs: performance.now() - startedAtMs }
}
