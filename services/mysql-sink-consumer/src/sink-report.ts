import { recordFields } from '@kafka-pattern/service-runtime'
import type { Batch } from './partition-buffer.ts'
import type { Changes, ReadRecords } from './read-changes.ts'
import type { Written } from './users-replica.ts'
import type { DeadLetterReport } from '@kafka-pattern/dead-letter'
import type { KafkaRecord, TopicPartition } from '@kafka-pattern/kafka-config'
import type { RetryInfo } from '@kafka-pattern/retry'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

/** A batch that is in the replica. */
export interface AppliedBatch {
  readonly batch: Batch
  readonly read: ReadRecords
  readonly changes: Changes
  readonly written: Written
  /** Records that followed it when the partition was last fetched. */
  readonly lag: number
}

/** What becomes of batches and records, told as it happens. It watches only: nothing here decides anything. */
export interface SinkReport extends DeadLetterReport<TopicPartition> {
  /** So many records of the partition were not applied when it was last fetched, or a batch of it was applied. */
  behind(partition: TopicPartition, records: number): void
  /** Returns what to call when the batch is applied. */
  began(partition: TopicPartition, batch: Batch): (applied: AppliedBatch) => void
  /** The database or the broker does not do what was asked, and is asked again. */
  waiting(partition: TopicPartition, info: RetryInfo): void
  /** The position is not where this process left it: it is read again. */
  overtaken(partition: TopicPartition, expected: string): void
  groupCommitFailed(partition: TopicPartition, error: unknown): void
  gaveUp(partition: TopicPartition): void
}

/** Reports to the log and to the metrics. */
export function createSinkReport(logger: Logger, metrics: ServiceMetrics): SinkReport {
  return {
    behind({ topic, partition }, records) {
      metrics.lag.set({ topic, partition }, records)
    },
    began({ topic, partition }, { records }) {
      metrics.batchSize.observe({ topic }, records.length)
      const ended = metrics.durations.startTimer({ topic })
      return ({ batch: { firstOffset, nextOffset }, read, changes, written, lag }) => {
        const seconds = ended({ outcome: 'applied' })
        const { upserted, deleted, buried, stale } = written
        const { superseded } = changes
        const tombstones = read.tombstones.length
        // Each record once: a tombstone is counted as such unless it did what a state does.
        const outcomes = { upserted, deleted, stale, superseded, tombstone: tombstones - buried }
        for (const [outcome, count] of Object.entries(outcomes)) {
          metrics.recordsTotal.inc({ topic, outcome }, count)
        }
        if (!logger.isLevelEnabled('info')) return
        const newest = read.states.at(-1)
        const times = {
          durationMs: Math.round(seconds * 1_000),
          ...(newest && { sinceUpdateMs: Date.now() - Date.parse(newest.state.updated_at) }),
        }
        const place = { topic, partition, records: records.length, firstOffset, nextOffset }
        const did = { upserted, deleted, stale, superseded, tombstones }
        logger.info({ ...place, ...did, lag, ...times }, 'batch applied')
      }
    },
    deadLettered(partition, record, { category, error }, stored) {
      metrics.recordsTotal.inc({ topic: partition.topic, outcome: 'dead-lettered' })
      metrics.deadLettersTotal.inc({ topic: partition.topic, category })
      const at = {
        deadLetterTopic: stored.topic,
        deadLetterPartition: stored.partition,
        deadLetterOffset: stored.offset,
      }
      const fields = { ...idsOf(partition, record), category, reason: reasonOf(error), ...at, err: error }
      logger.warn(fields, 'record dead-lettered')
    },
    deadLetterRefused(partition, record, { attempt, delayMs, error }) {
      const fields = { ...idsOf(partition, record), attempt, delayMs, reason: reasonOf(error), err: error }
      logger.error(fields, 'dead letter refused, the partition waits')
    },
    waiting({ topic, partition }, { attempt, delayMs, error }) {
      metrics.retriesTotal.inc({ topic })
      logger.warn(
        { topic, partition, attempt, delayMs, reason: reasonOf(error) },
        'not applied, the partition waits',
      )
    },
    overtaken({ topic, partition }, expectedOffset) {
      logger.warn(
        { topic, partition, expectedOffset },
        'offset is not where it was left, reading on from there',
      )
    },
    groupCommitFailed({ topic, partition }, error) {
      logger.warn({ topic, partition, reason: reasonOf(error) }, 'the group was not told the offset')
    },
    gaveUp({ topic, partition }) {
      // Its lag is its next owner's to tell.
      metrics.lag.remove({ topic, partition })
    },
  }
}

function idsOf({ topic, partition }: TopicPartition, { offset, key, headers }: KafkaRecord) {
  return recordFields({ topic, partition, offset, key, headers })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
