import { randomUUID } from 'node:crypto'
import {
  createTopic,
  deleteTopic,
  eventually,
  partitionEnds,
  produce,
  readTopic,
  startFaultProxy,
  startService,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { deadLetterTopic } from '@kafka-pattern/dead-letter'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DEMO_FAULT_HEADER } from './demo-faults.ts'
import { allowMessageBytes, committedOffsets } from './test-instance.ts'
import type { LogLine, RunningService, TestRecord } from '@kafka-pattern/test-kit'

function record(topic: string, name: string, fault?: string): TestRecord {
  return {
    topic,
    key: name,
    value: JSON.stringify({ id: randomUUID(), event: 'create', level: 1, name }),
    headers: { 'correlation-id': `of-${name}`, ...(fault !== undefined && { [DEMO_FAULT_HEADER]: fault }) },
    partition: 0,
  }
}

async function topicAndGroup() {
  const topic = await createTopic({ prefix: 'batch' })
  return { topic, group: uniqueName('batch-group') }
}

function settingsOf(topic: string, group: string): Record<string, string> {
  return {
    KAFKA_TOPICS: topic,
    KAFKA_CONSUMER_GROUP: group,
    TOPIC_PARTITIONS: '1',
    BATCH_TIMEOUT_MS: '200',
    DEMO_FAULTS: 'true',
    RETRY_KIND: 'fixed',
    RETRY_DELAY_MS: '100',
    LOG_LEVEL: 'info',
  }
}

const ofMessage = (service: RunningService, msg: string) => service.logLines.filter(line => line.msg === msg)
const processedOffsets = (service: RunningService) =>
  ofMessage(service, 'record processed').map(line => line.offset)
const isCommitUpTo = (nextOffset: string) => (line: LogLine) =>
  line.msg === 'batch committed' && line.nextOffset === nextOffset

test('killed in the middle of a batch: after the restart all of it is processed, nothing committed before is', async () => {
  const { topic, group } = await topicAndGroup()
  const names = Array.from({ length: 20 }, (_, index) => `r${index}`)
  // The third batch: its first two records are done when the third one waits for its retry.
  await produce(names.map((name, index) => record(topic, name, index === 12 ? 'timeout:1' : undefined)))
  // So long the restarted one waits for its partition: the group does not know that the killed one is gone.
  const settings = { ...settingsOf(topic, group), KAFKA_SESSION_TIMEOUT_MS: '15000' }

  const killed = await startService('batch-consumer', { ...settings, RETRY_DELAY_MS: '600000' })
  await killed.waitForLog(line => line.msg === 'record retried' && line.offset === '12')
  await killed.kill()
  expect(ofMessage(killed, 'batch committed').map(line => line.nextOffset)).toEqual(['5', '10'])
  expect(processedOffsets(killed)).toEqual(Array.from({ length: 12 }, (_, index) => String(index)))

  const restarted = await startService('batch-consumer', settings)
  await restarted.waitForLog(isCommitUpTo('20'))
  expect(processedOffsets(restarted)).toEqual(Array.from({ length: 10 }, (_, index) => String(index + 10)))
})

test('SIGTERM: the batch in process is finished and committed, what was only collected is left, exit code 0', async () => {
  const { topic, group } = await topicAndGroup()
  const names = Array.from({ length: 12 }, (_, index) => `r${index}`)
  await produce(names.map((name, index) => record(topic, name, index === 7 ? 'slow:5000' : undefined)))
  const settings = settingsOf(topic, group)
  const stopped = await startService('batch-consumer', {
    ...settings,
    // What is collected for the third batch stays collected.
    BATCH_TIMEOUT_MS: '600000',
    DRAIN_TIMEOUT_MS: '20000',
  })
  await stopped.waitForLog(isCommitUpTo('5'))
  expect(await stopped.stop()).toBe(0)
  expect(processedOffsets(stopped)).toEqual(Array.from({ length: 10 }, (_, index) => String(index)))
  expect(await committedOffsets(group, topic)).toEqual({ 0: '10' })

  const next = await startService('batch-consumer', settings)
  await next.waitForLog(isCommitUpTo('12'))
  expect(processedOffsets(next)).toEqual(['10', '11'])
})

test('a batch that is unreadable as a whole keeps its order, also when it is larger than 32 MiB', async () => {
  const { topic, group } = await topicAndGroup()
  // More bytes than a producer holds by default, 32 MiB.
  const large = 'x'.repeat(900_000)
  const names = Array.from({ length: 40 }, (_, index) => `r${index}`)
  // One by one: together they would be one record batch, and too large for the topic.
  for (const name of names) await produce([{ ...record(topic, name), value: large }])
  const service = await startService('batch-consumer', {
    ...settingsOf(topic, group),
    BATCH_SIZE: '40',
    BATCH_BYTES: String(64 * 1024 * 1024),
    BATCH_TIMEOUT_MS: '600000',
  })
  await service.waitForLog(isCommitUpTo('40'))

  const letters = await readTopic(deadLetterTopic(topic, group), { count: 40 })
  expect(letters.map(each => each.key?.toString())).toEqual(names)
  expect(service.logLines.filter(({ level = 0 }) => level >= 50)).toEqual([])
})

describe('demo faults', () => {
  test('retried, rejected and unreadable records end as they should, each said with its ids', async () => {
    const { topic, group } = await topicAndGroup()
    await produce([
      record(topic, 'good'),
      record(topic, 'retried', 'timeout:2'),
      record(topic, 'rejected', 'reject'),
      { ...record(topic, 'unreadable'), value: '{"id":' },
      record(topic, 'hopeless', 'timeout:*'),
    ])
    const service = await startService('batch-consumer', {
      ...settingsOf(topic, group),
      RETRY_MAX_ATTEMPTS: '4',
    })
    await service.waitForLog(isCommitUpTo('5'))
    const ids = (offset: string, key: string) => ({
      topic,
      partition: 0,
      offset,
      key,
      correlationId: `of-${key}`,
      batch: expect.any(Number),
    })

    expect(ofMessage(service, 'record processed')).toMatchObject([
      { ...ids('0', 'good'), attempts: 1 },
      { ...ids('1', 'retried'), attempts: 3 },
    ])
    expect(ofMessage(service, 'record retried').filter(line => line.offset === '1')).toMatchObject([
      { ...ids('1', 'retried'), attempt: 2, delayMs: 100, reason: 'the downstream timed out' },
      { ...ids('1', 'retried'), attempt: 3, delayMs: 100, reason: 'the downstream timed out' },
    ])
    const dead = ofMessage(service, 'record dead-lettered')
    const at = { deadLetterTopic: deadLetterTopic(topic, group), deadLetterPartition: 0 }
    expect(dead).toMatchObject([
      { ...ids('2', 'rejected'), ...at, deadLetterOffset: '0', category: 'not retryable' },
      { ...ids('3', 'unreadable'), ...at, deadLetterOffset: '1', category: 'not retryable' },
      { ...ids('4', 'hopeless'), ...at, deadLetterOffset: '2', category: 'retries exhausted', attempts: 4 },
    ])
    expect(ofMessage(service, 'batch committed')).toMatchObject([
      { topic, partition: 0, batch: expect.any(Number), records: 5, firstOffset: '0', nextOffset: '5' },
    ])
    const letters = await readTopic(deadLetterTopic(topic, group))
    expect(letters.map(each => each.key?.toString())).toEqual(['rejected', 'unreadable', 'hopeless'])
    expect(letters.map(each => String(each.headers['dlt.group']))).toEqual([group, group, group])

    const metrics = await (await fetch(`${service.probeUrl}/metrics`)).text()
    expect(metrics).toMatch(/records_total\{[^}]*outcome="processed"[^}]*\} 2\b/)
    expect(metrics).toMatch(/records_total\{[^}]*outcome="dead-lettered"[^}]*\} 3\b/)
  })

  test('are ignored unless DEMO_FAULTS=true', async () => {
    const { topic, group } = await topicAndGroup()
    await produce([record(topic, 'a', 'reject'), record(topic, 'b', 'timeout:*')])
    const service = await startService('batch-consumer', {
      ...settingsOf(topic, group),
      DEMO_FAULTS: 'false',
    })
    await service.waitForLog(isCommitUpTo('2'))
    expect(processedOffsets(service)).toEqual(['0', '1'])
    expect(ofMessage(service, 'record dead-lettered')).toEqual([])
  })
})

test('its dead-letter topic is as its topic is, whatever the settings want, and found as it should be at the next start', async () => {
  const topic = await createTopic({ partitions: 5 })
  const group = uniqueName('batch-group')
  const dlt = deadLetterTopic(topic, group)
  onTestFinished(() => deleteTopic(testKafka(), dlt))
  for (const outcome of ['created', 'found']) {
    const service = await startService('batch-consumer', settingsOf(topic, group))
    expect(await partitionEnds(dlt), outcome).toHaveLength(5)
    const otherwise = ofMessage(service, 'topic exists, but not as it should be; it is left as it is')
    expect(
      otherwise.map(line => line.topic),
      outcome,
    ).toEqual([topic])
    await service.stop()
  }
})

test('a refused dead letter turns readiness off and says what is waited for; accepted, it turns on again', async () => {
  const { topic, group } = await topicAndGroup()
  const dlt = await createTopic({
    topic: deadLetterTopic(topic, group),
    configs: { 'max.message.bytes': '100' },
  })
  const service = await startService('batch-consumer', settingsOf(topic, group))
  await produce([record(topic, 'rejected', 'reject')])
  await eventually(
    async () => {
      const answer = await fetch(`${service.probeUrl}/readyz`)
      expect([answer.status, await answer.json()]).toMatchObject([503, { waitingFor: ['dead-letter topic'] }])
    },
    { what: '/readyz to wait for the dead-letter topic' },
  )
  expect(await committedOffsets(group, topic)).toEqual({ 0: '-1' })
  const metrics = await (await fetch(`${service.probeUrl}/metrics`)).text()
  expect(metrics).toContain(`kafka_consumer_lag_records{topic="${topic}",partition="0"} 1`)

  await allowMessageBytes(dlt, 1_048_588)
  await service.waitForLog(isCommitUpTo('1'))
  await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(200), {
    what: '/readyz to be 200 again',
  })
})

test('no broker at start: it waits, says so, is not ready; ready as soon as a broker answers', async () => {
  const { topic, group } = await topicAndGroup()
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  await proxy.refuse()
  const service = await startService(
    'batch-consumer',
    { ...settingsOf(topic, group), KAFKA_BROKERS: proxy.address },
    { waitReady: false },
  )
  await service.waitForLog(line => line.msg === 'waiting for a Kafka broker to answer')
  expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(503)
  expect((await fetch(`${service.probeUrl}/healthz`)).status).toBe(200)
  await proxy.restore()
  await service.waitForLog(line => line.msg === 'ready')
  await produce([record(topic, 'a')])
  await service.waitForLog(isCommitUpTo('1'))
})

test('a broker that is away for a while: the consumer goes on by itself, nothing is lost or done twice', async () => {
  const { topic, group } = await topicAndGroup()
  const [target = ''] = testKafka().brokers
  const proxy = await startFaultProxy({ target })
  const service = await startService('batch-consumer', {
    ...settingsOf(topic, group),
    KAFKA_BROKERS: proxy.address,
  })
  await produce([record(topic, 'a')])
  await service.waitForLog(isCommitUpTo('1'))
  await proxy.refuse()
  await eventually(async () => expect((await fetch(`${service.probeUrl}/readyz`)).status).toBe(503), {
    what: '/readyz to be 503',
  })
  await produce([record(topic, 'b')])
  await proxy.restore()
  await service.waitForLog(isCommitUpTo('2'))
  expect(processedOffsets(service)).toEqual(['0', '1'])
})

test('bad settings: every bad key in one message, exit code 78', async () => {
  const service = await startService(
    'batch-consumer',
    { BATCH_SIZE: '0', BATCH_TIMEOUT_MS: 'soon', RETRY_KIND: 'sometimes' },
    { waitReady: false },
  )
  expect(await service.waitForExit()).toBe(78)
  const said = service.stderrLines.join('\n')
  for (const key of ['BATCH_SIZE', 'BATCH_TIMEOUT_MS', 'RETRY_KIND']) expect(said).toContain(key)
})
