import type { GatheringProducer, Kafka, RecordMetadata } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { ensureDeadLetterTopic } from './dead-letter-topics.ts'
import { deadLetterTopic, toDeadLetter } from './dead-letter.ts'
import type { ConsumedRecord, Failure } from './dead-letter.ts'

export interface DeadLetterPublisher {
  /**
   * Resolves when all in-sync replicas have the dead letter. It lies in the partition of the record's number if there is
   * one, else where its key belongs.
   *
   * @throws whatever kept it from being stored. The caller must then stop the partition: going on would lose the record.
   * Calling again is safe, and may store the dead letter twice.
   */
  publish(record: ConsumedRecord, failure: Failure): Promise<RecordMetadata>
}

/** Who waits longer for a topic should know: the publish fails, and its caller decides when to try again. */
const topicTimeoutMs = 10_000

/** Publishes dead letters; creates a dead-letter topic when its first letter comes. The producer stays the caller's. */
export function createDeadLetterPublisher({
  kafka,
  producer,
  logger,
}: {
  kafka: Kafka
  producer: GatheringProducer
  logger: Logger
}): DeadLetterPublisher {
  const partitionsOf = new Map<string, Promise<number>>()

  function ensured(topic: string, group: string): Promise<number> {
    const name = deadLetterTopic(topic, group)
    const known = partitionsOf.get(name)
    if (known !== undefined) return known
    const signal = AbortSignal.timeout(topicTimeoutMs)
    const partitions = ensureDeadLetterTopic(kafka, { topic, group }, { logger, signal })
    partitionsOf.set(name, partitions)
    return partitions
  }

  return {
    async publish(record, failure) {
      const letter = toDeadLetter(record, failure)
      try {
        const partitions = await ensured(record.topic, failure.group)
        const hasPartition = record.partition < partitions
        return await producer.send(hasPartition ? { ...letter, partition: record.partition } : letter)
      } catch (error) {
        // Somebody may have deleted the topic: the next call looks again.
        partitionsOf.delete(letter.topic)
        throw error
      }
    },
  }
}
