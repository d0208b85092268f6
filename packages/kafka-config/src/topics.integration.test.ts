import { connectTo, deleteTopic, testKafka, uniqueName, withAdmin } from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { TopicSetupError, ensureTopics } from './topics.ts'
import type { TopicSpec } from './topics.ts'

/** A topic specification that the run's one broker can fulfil; what it creates is deleted at the end. */
function specify(changes: Partial<TopicSpec> = {}): TopicSpec {
  const topic = uniqueName('ensured')
  onTestFinished(() => deleteTopic(testKafka(), topic))
  return { topic, partitions: 3, replicationFactor: 1, ...changes }
}

/** A log whose warnings are kept. */
function keepWarnings() {
  const warnings: { msg: string; topic?: string }[] = []
  const logger = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(JSON.parse(line)) })
  return { logger, warnings }
}

async function partitionsOf(topic: string) {
  return withAdmin(testKafka(), async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions ?? []
  })
}

test('creates a topic with its partitions and configs, leaders elected', async () => {
  const { kafka, logger } = testKafka()
  const spec = specify({ configs: { 'cleanup.policy': 'compact', 'max.message.bytes': '2000000' } })
  const found = { topic: spec.topic, partitions: 3, replicationFactor: 1, differences: [] }
  expect(await ensureTopics(kafka, [spec], { logger })).toEqual([{ ...found, outcome: 'created' }])
  const partitions = await partitionsOf(spec.topic)
  expect(partitions).toHaveLength(3)
  for (const { leader } of partitions) expect(leader).toBeGreaterThanOrEqual(0)
  // That it compares equal to its own specification shows that the configs are what was asked for.
  expect(await ensureTopics(kafka, [spec], { logger })).toEqual([{ ...found, outcome: 'exists as wanted' }])
})

test('leaves the number of replicas to the brokers that are told to', async () => {
  const { kafka, logger } = testKafka()
  const spec = specify({ replicationFactor: -1 })
  expect(await ensureTopics(kafka, [spec], { logger })).toMatchObject([{ outcome: 'created' }])
  expect(await ensureTopics(kafka, [spec], { logger })).toMatchObject([{ outcome: 'exists as wanted' }])
})

test('creates what is missing beside what exists', async () => {
  const { kafka, logger } = testKafka()
  const [first, second] = [specify(), specify()]
  await ensureTopics(kafka, [first], { logger })
  const outcomes = (await ensureTopics(kafka, [first, second], { logger })).map(({ outcome }) => outcome)
  expect(outcomes).toEqual(['exists as wanted', 'created'])
})

test('reports a topic that exists otherwise, and does not change it', async () => {
  const { kafka, logger } = testKafka()
  const spec = specify({ partitions: 2, configs: { 'cleanup.policy': 'delete', 'retention.ms': '1000' } })
  await ensureTopics(kafka, [spec], { logger })
  const kept = keepWarnings()
  const wanted = {
    ...spec,
    partitions: 5,
    replicationFactor: 3,
    configs: { 'cleanup.policy': 'compact', 'retention.ms': '1000' },
  }
  const [report] = await ensureTopics(kafka, [wanted], kept)
  expect(report).toEqual({
    topic: spec.topic,
    outcome: 'exists otherwise',
    partitions: 2,
    replicationFactor: 1,
    differences: [
      { what: 'partitions', wanted: '5', found: '2' },
      { what: 'replication factor', wanted: '3', found: '1' },
      { what: 'cleanup.policy', wanted: 'compact', found: 'delete' },
    ],
  })
  expect(kept.warnings).toMatchObject([{ topic: spec.topic }])
  expect(await partitionsOf(spec.topic)).toHaveLength(2)
  expect(await ensureTopics(kafka, [spec], { logger })).toMatchObject([{ outcome: 'exists as wanted' }])
})

test('several processes that create the same topics at once all succeed, and one of them created each', async () => {
  const { settings, logger } = testKafka()
  const specs = Array.from({ length: 8 }, () => specify())
  // Each topic is wanted by two of them, none of which wants the same two.
  const reports = await Promise.all(
    specs.map((spec, index) => {
      const pair = [spec, specs[(index + 1) % specs.length]!]
      return ensureTopics(connectTo(settings.KAFKA_BROKERS).kafka, pair, { logger })
    }),
  )
  for (const { topic } of specs) {
    const outcomes = reports.flat().filter(report => report.topic === topic)
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['created', 'exists as wanted'])
  }
})

test('says which topic the broker refuses and why', async () => {
  const { kafka, logger } = testKafka()
  const spec = specify({ configs: { 'cleanup.policy': 'nonsense' } })
  const error: unknown = await ensureTopics(kafka, [spec], { logger }).catch((failure: unknown) => failure)
  expect(error).toBeInstanceOf(TopicSetupError)
  expect(error).toMatchObject({ category: 'not retryable' })
  expect(String(error)).toMatch(new RegExp(`${spec.topic}: .*\\(INVALID_CONFIG\\)`))
})

test('waits for the brokers that the replicas need, then says that there are too few', async () => {
  const { kafka, logger } = testKafka()
  const spec = specify({ replicationFactor: 3 })
  await expect(ensureTopics(kafka, [spec], { logger })).rejects.toThrow(/INVALID_REPLICATION_FACTOR/)
})

test('an abort ends the wait for brokers that do not answer', async () => {
  // Port 9 is the discard service: nothing listens there.
  const { kafka, logger } = connectTo(['127.0.0.1:9'])
  const stop = new AbortController()
  const ensured = ensureTopics(kafka, [specify()], { logger, signal: stop.signal })
  stop.abort()
  await expect(ensured).rejects.toThrow('aborted')
})
