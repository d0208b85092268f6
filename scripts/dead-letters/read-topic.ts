import { randomUUID } from 'node:crypto'
import { createGroupConsumer, type Kafka, type KafkaRecord } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'

export type PlacedRecord = { topic: string; partition: number; record: KafkaRecord }

/** Every record that the topics hold now, each partition in the order of its offsets. Leaves nothing on the broker. */
export async function readWholeTopics(
  kafka: Kafka,
  logger: Logger,
  topics: string[],
): Promise<PlacedRecord[]> {
  const ends = await endOffsets(kafka, topics)
  const records: PlacedRecord[] = []
  if (ends.size === 0) return records
  const complete = Promise.withResolvers<void>()
  const consumer = createGroupConsumer(kafka, {
    groupId: `dead-letter-reader-${randomUUID()}`,
    topics,
    from: 'earliest',
    positions: 'in memory',
    maxWaitMs: 100,
    logger,
  })
  consumer.onFatal(complete.reject)
  await consumer.start({
    onRecords({ topic, partition, records: fetched }) {
      const id = `${topic}/${partition}`
      const end = ends.get(id)
      for (const record of fetched) {
        if (end !== undefined && BigInt(record.offset) < end) records.push({ topic, partition, record })
      }
      if (end !== undefined && BigInt(fetched.at(-1)!.offset) + 1n >= end) ends.delete(id)
      if (ends.size === 0) complete.resolve()
    },
  })
  try {
    await complete.promise
  } finally {
    await consumer.stop()
  }
  return records
}

/** The end of every partition that holds at least one record, by "topic/partition". */
async function endOffsets(kafka: Kafka, topics: string[]): Promise<Map<string, bigint>> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const ends = new Map<string, bigint>()
    for (const topic of topics) {
      for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
        if (high !== low) ends.set(`${topic}/${partition}`, BigInt(high))
      }
    }
    return ends
  } finally {
    await admin.disconnect()
  }
}
