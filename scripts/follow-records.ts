import { randomUUID } from 'node:crypto'
import {
  createGroupConsumer,
  deleteGroup,
  type FetchedRecords,
  type Kafka,
} from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'

/**
 * Every record that comes to these topics after this resolves, those of transactions once they are committed. Reads as a group of its own
 * that commits nothing and is deleted by `stop`, as simple-consumer does.
 * @param onFatal told once when it cannot go on; without it that ends the process
 */
export async function followRecords(
  { kafka, logger, clientId }: { kafka: Kafka; logger: Logger; clientId: string },
  topics: string[],
  onRecords: (fetched: FetchedRecords) => void,
  onFatal?: (error: Error) => void,
): Promise<{ stop(): Promise<void> }> {
  const groupId = `${clientId}.broadcast.${randomUUID()}`
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics,
    from: 'latest',
    positions: 'in memory',
    logger,
    maxWaitMs: 100,
  })
  if (onFatal !== undefined) consumer.onFatal(onFatal)
  await consumer.start({ onRecords })
  return {
    async stop() {
      await consumer.stop()
      await deleteGroup(kafka, groupId, logger)
    },
  }
}
