/** Three brokers, of which some or all are killed. */
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
import { afterEach, beforeAll, expect, test } from 'vitest'
import { ada, create, requestTimeoutMs, slackMs, timed } from './test-client.ts'
import type { OwnKafka } from '@kafka-pattern/test-kit'

let kafka: OwnKafka
beforeAll(async () => {
  kafka = await startOwnKafka({ brokers: 3, heapBytes: 256 * 1024 * 1024 })
  return () => kafka.stop()
})
// A test that failed on the way must not fail the next ones.
afterEach(async () => {
  for (const node of kafka.nodes) if (!(await node.isRunning())) await node.start()
})

test('a partition without a leader: its records are answered 503, those of the others 201, until it has one again', async () => {
  // One replica each: with its broker a partition loses its only possible leader.
  const topic = await createTopic({ on: kafka, partitions: 3, configs: { 'min.insync.replicas': '1' } })
  const service = await startService('simple-producer', {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC: topic,
    REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
  })
  const leaders = await leadersOf(topic)
  const lost = 0
  const node = kafka.nodes.find(({ id }) => id === leaders[lost])
  await node?.kill()
  await eventually(() => expect(leadersOf(topic)).rejects.toThrow('no leader'), {
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
}, 600_000)

test('two of three brokers down: 503; what was answered 201 is there, even when the third dies after the two came back', async () => {
  const { service, createSome, untilAllAreStored, lost } = await startReplicated()
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
}, 600_000)

test('all three brokers killed under load: what was answered 201 is there when they are back', async () => {
  const { service, createSome, untilAllAreStored, lost } = await startReplicated()
  await untilAllAreStored()

  const dying = createSome()
  await Promise.all(kafka.nodes.map(node => node.kill()))
  await dying
  for (const { status } of await createSome()) expect(status).toBe(503)

  await Promise.all(kafka.nodes.map(node => node.start()))
  await untilAllAreStored()
  expect(await lost()).toEqual([])
  expect(await service.stop()).toBe(0)
}, 600_000)

/** The service on a topic with three replicas, and a memory of what it acknowledged. */
async function startReplicated() {
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
      { what: '201 on every partition', timeoutMs: 120_000 },
    )
  /** The acknowledged ones that cannot be read. */
  const lost = async () => {
    const stored = new Set((await readTopic(topic, { on: kafka })).map(({ key }) => String(key)))
    return acknowledged.filter(id => !stored.has(id))
  }
  return { service, createSome, untilAllAreStored, lost }
}

async function leadersOf(topic: string): Promise<number[]> {
  const { topics } = await withAdmin(kafka, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const partitions = topics[0]?.partitions.toSorted((a, b) => a.partitionId - b.partitionId) ?? []
  return partitions.map(({ leader }) => leader)
}
