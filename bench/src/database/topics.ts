/** Topics on which the broker writes down when each record came: so whoever is measured need not know, and nobody disturbs. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from '../../../packages/kafka-config/src/index.ts'
import type { Databases } from './databases.ts'

const quietMs = 300
const stuckAfterMs = 60_000

/** The topic, empty, with the partitions that the services give it. */
export async function recreateTopic({ admin }: Databases, topic: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) await admin.deleteTopics({ topics: [topic] })
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: 3,
        replicationFactor: 1,
        configEntries: [
          { name: 'message.timestamp.type', value: 'LogAppendTime' },
          { name: 'file.delete.delay.ms', value: '1000' },
        ],
      },
    ],
  })
}

/** What is in the topic, in offsets: at least its records; ends of transactions take one, too. */
async function writtenOffsets({ admin }: Databases, topic: string): Promise<number> {
  const partitions = await admin.fetchTopicOffsets(topic)
  return partitions.reduce((sum, { high }) => sum + Number(high), 0)
}

/**
 * Resolves when there are `records` in the topic and no more come.
 * @throws when nothing comes for a minute, or what `requireAlive` throws
 */
export async function untilWritten(
  databases: Databases,
  topic: string,
  records: number,
  { orSoon = false, requireAlive }: { orSoon?: boolean; requireAlive: () => Promise<void> },
): Promise<void> {
  let last = { offsets: -1, atMs: 0 }
  for (let polls = 0; ; polls++) {
    const offsets = await writtenOffsets(databases, topic)
    const nowMs = performance.now()
    if (offsets !== last.offsets) last = { offsets, atMs: nowMs }
    const silentMs = nowMs - last.atMs
    if (offsets >= records && (orSoon || silentMs >= quietMs)) return
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
  firstAtMs: number
  lastAtMs: number
  /** From the first append to the last. */
  perSecond: number
}

/** Reads a topic of recreateTopic as consumers see it (read_committed), until it has seen `records` different ones. */
export async function readTimeline(kafka: Kafka, topic: string, records: number): Promise<Timeline> {
  const groupId = `bench-timeline-${Date.now()}`
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 })
  const seen = new Set<string>()
  let count = 0
  let atFirst = 0
  let firstAtMs = Infinity
  let lastAtMs = 0
  let lastMoveMs = performance.now()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      lastMoveMs = performance.now()
      for (const { key, headers, timestamp } of batch.messages) {
        const id = headers?.['id'] ?? key
        seen.add(String(id))
        count++
        const atMs = Number(timestamp)
        if (atMs < firstAtMs) {
          firstAtMs = atMs
          atFirst = 0
        }
        if (atMs === firstAtMs) atFirst++
        if (atMs > lastAtMs) lastAtMs = atMs
      }
      return Promise.resolve()
    },
  })
  try {
    while (seen.size < records) {
      if (performance.now() - lastMoveMs > 20_000) {
        throw new Error(`only ${seen.size} of ${records} records of ${topic} can be read`)
      }
      await sleep(50)
    }
  } finally {
    await consumer.disconnect()
  }
  const perSecond = (count - atFirst) / ((lastAtMs - firstAtMs) / 1000)
  return { records: count, distinct: seen.size, firstAtMs, lastAtMs, perSecond }
}
