import { recordFields } from '@kafka-pattern/service-runtime'
import type { Batch } from './batch-collector.ts'
import type { ReadableRecord } from './handler.ts'
import type { BatchOutcome, BatchPlace } from './process-batch.ts'
import type { RecordFailure } from '@kafka-pattern/dead-letter'
import type { KafkaRecord, RecordMetadata, TopicPartition } from '@kafka-pattern/kafka-config'
import type { RetryInfo } from '@kafka-pattern/retry'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

/** What becomes of batches and records, told as it happens. It watches only: nothing here decides anything. */
export interface BatchReport {
  /** So many records of the partition were not done when it was last fetched, or committed. */
  behind(partition: TopicPartition, records: number): void
  /** Returns what to call when the batch has ended. */
  began(place: BatchPlace, batch: Batch): (outcome: BatchOutcome['state']) => void
  processed(place: BatchPlace, count: number): void
  /** The handler refused these records together, so they are taken apart. */
  isolating(place: BatchPlace, records: readonly ReadableRecord[], error: unknown): void
  retrying(place: BatchPlace, record: KafkaRecord, info: RetryInfo): void
  deadLettered(place: BatchPlace, record: KafkaRecord, failure: RecordFailure, stored: RecordMetadata): void
  deadLetterRefused(place: BatchPlace, record: KafkaRecord, info: RetryInfo): void
  committed(place: BatchPlace, batch: Batch, nextOffset: string): void
  commitRefused(place: BatchPlace, info: RetryInfo): void
  gaveUp(partition: TopicPartition): void
}

/** Reports to the log and to the metrics. */
export function createBatchReport(logger: Logger, metrics: ServiceMetrics): BatchReport {
  return {
    behind({ topic, partition }, records) {
      metrics.lag.set({ topic, partition }, records)
    },
    began({ topic }, batch) {
      metrics.batchSize.observe({ topic }, batch.records.length)
      const ended = metrics.durations.startTimer({ topic })
      return outcome => void ended({ outcome })
    },
    processed({ topic }, count) {
      metrics.recordsTotal.inc({ topic, outcome: 'processed' }, count)
    },
    isolating(place, records, error) {
      const firstOffset = records[0]?.record.offset
      const fields = { ...place, records: records.length, firstOffset, reason: reasonOf(error) }
      logger.info(fields, 'batch refused, taken apart')
    },
    retrying(place, record, { attempt, delayMs, error }) {
      metrics.retriesTotal.inc({ topic: place.topic })
      const fields = { ...idsOf(place, record), attempt: attempt + 1, delayMs, reason: reasonOf(error) }
      logger.info(fields, 'record retried')
    },
    deadLettered(place, record, { category, error, attempts }, stored) {
      metrics.recordsTotal.inc({ topic: place.topic, outcome: 'dead-lettered' })
      metrics.deadLettersTotal.inc({ topic: place.topic, category })
      const at = {
        deadLetterTopic: stored.topic,
        deadLetterPartition: stored.partition,
        deadLetterOffset: stored.offset,
      }
      const fields = {
        ...idsOf(place, record),
        attempts,
        category,
        reason: reasonOf(error),
        ...at,
        err: error,
      }
      logger.warn(fields, 'record dead-lettered')
    },
    deadLetterRefused(place, record, { attempt, delayMs, error }) {
      const fields = { ...idsOf(place, record), attempt, delayMs, reason: reasonOf(error), err: error }
      logger.error(fields, 'dead letter refused, the partition waits')
    },
    committed(place, batch, nextOffset) {
      if (!logger.isLevelEnabled('info')) return
      const open = batch.records.findIndex(record => record.offset === nextOffset)
      const records = open === -1 ? batch.records.length : open
      logger.info({ ...place, records, firstOffset: batch.firstOffset, nextOffset }, 'batch committed')
    },
    commitRefused(place, { attempt, delayMs, error }) {
      logger.warn(
        { ...place, attempt, delayMs, reason: reasonOf(error), err: error },
        'commit failed, tried again',
      )
    },
    gaveUp({ topic, partition }) {
      // Its lag is its next owner's to tell.
      metrics.lag.remove({ topic, partition })
    },
  }
}

function idsOf({ topic, partition, batch }: BatchPlace, record: KafkaRecord) {
  const { offset, key, headers } = record
  return { ...recordFields({ topic, partition, offset, key, headers }), batch }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
