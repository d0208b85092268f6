/** Topics on which the broker writes down when each record came: so whoever is measured need not know, and nobody disturbs. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureTopics, type Kafka } from '../../../packages/kafka-config/src/index.ts'
import type { Databases } from './databases.ts'

const quietMs = 300
const stuckAfterMs = 60_000
const unreadableAfterMs = 20_000

/** The topic, empty, with the partitions that the services give it. */
export async function recreateTopic({ admin, kafka, logger }: Databases, topic: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) await admin.deleteTopics({ topics: [topic] })
  const configs = { 'message.timestamp.type': 'LogAppendTime', 'file.delete.delay.ms': '1000' }
  await ensureTopics(kafka, [{ topic, partitions: 3, replicationFactor: 1, configs }], { logger })
}

/** What is in the topic, in offsets: at least its records; ends of transactions take one, too. */
async function writtenOffsets({ admin }: Databases, topic: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const partitions = await admin.fetchTopicOffsets(topic)
      return partitions.reduce((sum, { high }) => sum + Number(high), 0)
    } catch (error) {
      // The client still knows the topic of this name that was deleted; it asks anew.
      if (attempt === 20) throw error
      await sleep(50)
    }
  }
}

export interface Wait {
  topic: string
  records: number
  /** Wait no longer than this from the first record on. */
  limitMs?: number
  /** Do not wait whether more comes. */
  orSoon?: boolean
  /** Asked once a second. */
  requireAlive: () => Promise<void>
}

/**
 * Resolves when there are `records` in the topic and no more come, or the limit is reached.
 * @throws when nothing comes for a minute, or what `requireAlive` throws
 */
export async function untilWritten(databases: Databases, wait: Wait): Promise<void> {
  const { topic, records, limitMs = Infinity, orSoon = false, requireAlive } = wait
  let last = { offsets: 0, atMs: performance.now() }
  let firstMs = Infinity
  for (let polls = 1; ; polls++) {
    const offsets = await writtenOffsets(databases, topic)
    const nowMs = performance.now()
    if (offsets > 0) firstMs = Math.min(firstMs, nowMs)
    if (offsets !== last.offsets) last = { offsets, atMs: nowMs }
    const silentMs = nowMs - last.atMs
    if (offsets >= records && (orSoon || silentMs >= quietMs)) return
    if (nowMs - firstMs >= limitMs) return
    if (silentMs > stuckAfterMs) {
      throw new Error(`nothing came to ${topic} for a minute, after ${offsets} of ${records} records`)
    }
    if (polls % 10 === 0) await requireAlive()
    await sleep(100)
  }
}

export interface Timeline {
  records: number
  /** Records less those that came again. */
  distinct: number
  /** Of the broker's clock, ms since 1970. */
  lastAtMs: number
  /** From the first append to the last. */
  perSecond: number
}

/**
 * Reads a topic of recreateTopic to its end, as consumers see it (read_committed).
 * @param records what must be there at least
 */
export async function readTimeline(kafka: Kafka, topic: string, records: number): Promise<Timeline> {
  const consumer = kafka.consumer({ groupId: `bench-timeline-${randomUUID()}`, maxWaitTimeInMs: 200 })
  const seen = new Set<string>()
  let count = 0
  let atFirst = 0
  let firstAtMs = Infinity
  let lastAtMs = 0
  let movedMs = performance.now()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      movedMs = performance.now()
      count += batch.messages.length
      for (const { key, headers, timestamp } of batch.messages) {
        seen.add(String(headers?.['id'] ?? key))
        const atMs = Number(timestamp)
        if (atMs < firstAtMs) atFirst = 0
        if (atMs <= firstAtMs) atFirst++
        firstAtMs = Math.min(firstAtMs, atMs)
        lastAtMs = Math.max(lastAtMs, atMs)
      }
      return Promise.resolve()
    },
  })
  try {
    for (;;) {
      const silentMs = performance.now() - movedMs
      if (count >= records && silentMs > quietMs) break
      if (silentMs > unreadableAfterMs) {
        throw new Error(`only ${count} of ${records} records of ${topic} can be read`)
      }
      await sleep(20)
    }
  } finally {
    await consumer.disconnect()
  }
  const perSecond = (count - atFirst) / ((lastAtMs - firstAtMs) / 1000)
  return { records: count, distinct: seen.size, lastAtMs, perSecond }
}
