import { randomUUID } from 'node:crypto'
import { parseRecordValue, UserState } from '@kafka-pattern/events'
import { createGroupConsumer, deleteGroup, type Kafka, type KafkaRecord } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import type { Arrival } from './change-ledger.ts'

/**
 * Every record that is written to the topic after this resolves, those of transactions once they are committed. Reads as a group
 * of its own that commits nothing and is deleted by `stop`.
 */
export async function followTopic(
  kafka: Kafka,
  logger: Logger,
  topic: string,
  onArrivals: (partition: number, arrivals: Arrival[]) => void,
): Promise<{ stop(): Promise<void> }> {
  const groupId = `demo-${randomUUID()}`
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics: [topic],
    from: 'latest',
    positions: 'in memory',
    logger,
    maxWaitMs: 100,
  })
  await consumer.start({
    onRecords: ({ partition, records }) => onArrivals(partition, records.map(toArrival)),
  })
  return {
    async stop() {
      await consumer.stop()
      await deleteGroup(kafka, groupId, logger)
    },
  }
}

function toArrival({ key, value }: KafkaRecord): Arrival {
  const id = key?.toString() ?? ''
  if (value === null) return { id, is: 'tombstone' }
  const parsed = parseRecordValue(UserState, value)
  return parsed.ok
    ? { id, is: 'state', state: parsed.value }
    : { id, is: 'unreadable', reason: parsed.reason }
}
