import { randomUUID } from 'node:crypto'
import {
  createGroupConsumer,
  deleteGroup,
  readPartitionEnds,
  type Kafka,
  type KafkaRecord,
} from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'

/**
 * Every record that comes to these topics after this resolves, those of transactions once they are committed. A topic that does not exist
 * is left out. Reads as a group of its own that commits nothing and is deleted by `stop`, as simple-consumer does.
 */
export async function followRecords(
  { kafka, logger }: { kafka: Kafka; logger: Logger },
  wanted: readonly string[],
  onRecord: (topic: string, partition: number, record: KafkaRecord) => void,
  onFatal: (error: Error) => void,
): Promise<{ stop(): Promise<void> }> {
  const existing = await readPartitionEnds(kafka, wanted)
  const topics = [...new Set(existing.map(({ topic }) => topic))]
  if (topics.length === 0) return { stop: async () => {} }
  const groupId = `watch.broadcast.${randomUUID()}`
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics,
    from: 'latest',
    positions: 'in memory',
    logger,
    maxWaitMs: 100,
  })
  consumer.onFatal(onFatal)
  await consumer.start({
    onRecords({ topic, partition, records }) {
      for (const record of records) onRecord(topic, partition, record)
    },
  })
  return {
    async stop() {
      await consumer.stop()
      await deleteGroup(kafka, groupId, logger)
    },
  }
}
