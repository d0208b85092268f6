import { EntityCreated, HEADERS } from '@kafka-pattern/events'
import { KafkaConfigError, QueueFullError } from '@kafka-pattern/kafka-config'
import { createLogger, createService } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { entityCreator } from './create-entity.ts'
import type { OutgoingRecord, RecordMetadata } from '@kafka-pattern/kafka-config'

const answerMarginMs = 500
const within = (ms: number) => performance.now() + ms

function creatorOver(
  send: (record: OutgoingRecord, options?: { timeoutMs?: number }) => Promise<RecordMetadata>,
) {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const logger = createLogger({ name: 'test', level: 'info', destination })
  const settings = { PROBE_HOST: '127.0.0.1', PROBE_PORT: 0, SHUTDOWN_TIMEOUT_MS: 1000 }
  const { metrics } = createService({ name: 'test', settings, logger })
  const create = entityCreator({ producer: { send }, topic: 'user', answerMarginMs, logger, metrics })
  const outcomes = async () =>
    (await metrics.recordsTotal.get()).values.map(({ labels, value }) => [labels.outcome, value])
  return { create, lines, outcomes }
}

test('the answer is byte for byte the value of the record, whose key and headers say what it is', async () => {
  const sent: OutgoingRecord[] = []
  const { create, lines, outcomes } = creatorOver(async record => {
    sent.push(record)
    return { topic: record.topic, partition: 2, offset: '41' }
  })

  const outcome = await create({ level: 7, name: 'Zoë "\n"' }, 'corr-1', within(5_000))

  const [record] = sent
  expect(outcome).toEqual({ kind: 'acknowledged', json: record?.value, partition: 2, offset: '41' })
  const entity = EntityCreated.parse(JSON.parse(String(record?.value)))
  expect(entity).toMatchObject({ event: 'create', level: 7, name: 'Zoë "\n"' })
  expect(record).toMatchObject({ topic: 'user', key: entity.id })
  expect(record?.headers).toEqual({
    [HEADERS.correlationId]: 'corr-1',
    [HEADERS.contentType]: 'application/json',
    [HEADERS.eventType]: 'create',
    [HEADERS.id]: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(record?.headers?.[HEADERS.id]).not.toBe(entity.id)
  expect(lines).toEqual([
    expect.objectContaining({
      msg: 'record acknowledged',
      topic: 'user',
      partition: 2,
      offset: '41',
      key: entity.id,
      correlationId: 'corr-1',
      durationMs: expect.any(Number),
    }),
  ])
  expect(await outcomes()).toEqual([['acknowledged', 1]])
})

test('a send that fails for now is an outcome, logged once with its cause and ids', async () => {
  const { create, lines, outcomes } = creatorOver(() =>
    Promise.reject(new QueueFullError(1, 100, '10 records')),
  )
  expect(await create({ level: 1, name: 'a' }, 'corr-2', within(5_000))).toMatchObject({
    kind: 'unavailable',
  })
  expect(lines).toEqual([
    expect.objectContaining({
      msg: 'record not acknowledged',
      correlationId: 'corr-2',
      key: expect.any(String),
      reason: expect.stringContaining('no room'),
    }),
  ])
  expect(await outcomes()).toEqual([['failed', 1]])
})

test('a send that can never succeed is thrown on', async () => {
  const defect = new KafkaConfigError('not authorized', 'fatal')
  const { create, outcomes } = creatorOver(() => Promise.reject(defect))
  await expect(create({ level: 1, name: 'a' }, 'corr-3', within(5_000))).rejects.toBe(defect)
  expect(await outcomes()).toEqual([['failed', 1]])
})

test.each([
  ['what is left of the time of the request, less the margin', 3_000, 2_500],
  ['next to nothing when its time is over', 0, 1],
])('the record has %s', async (_what, leftMs, atMostMs) => {
  let allowedMs = 0
  const { create } = creatorOver(async (record, { timeoutMs = Infinity } = {}) => {
    allowedMs = timeoutMs
    return { topic: record.topic, partition: 0, offset: '0' }
  })
  await create({ level: 1, name: 'a' }, 'corr-4', within(leftMs))
  expect(allowedMs).toBeGreaterThan(0)
  expect(allowedMs).toBeLessThanOrEqual(atMostMs)
})
