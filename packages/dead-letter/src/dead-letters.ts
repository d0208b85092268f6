/**
 * Sees dead letters through: a record that was given up is published until a broker has it, because what is neither done nor
 * dead-lettered would be lost by the next commit.
 */
import { hostname } from 'node:os'
import { AbortError, retry, untilItWorks } from '@kafka-pattern/retry'
import type { KafkaRecord, RecordMetadata, TopicPartition } from '@kafka-pattern/kafka-config'
import type { RetryInfo } from '@kafka-pattern/retry'
import type { DeadLetterPublisher } from './dead-letter-publisher.ts'
import type { Failure } from './dead-letter.ts'

/** Why a record is given up. */
export interface RecordFailure {
  readonly category: Failure['category']
  /** Of the last attempt. */
  readonly error: unknown
  readonly attempts: number
  readonly firstFailureAt: Date
  readonly lastFailureAt: Date
}

/** Told what becomes of dead letters; it decides nothing. `Place` is where the record was consumed, and whatever the service adds to that. */
export interface DeadLetterReport<Place extends TopicPartition> {
  deadLettered(place: Place, record: KafkaRecord, failure: RecordFailure, stored: RecordMetadata): void
  deadLetterRefused(place: Place, record: KafkaRecord, info: RetryInfo): void
}

export interface DeadLetters<Place extends TopicPartition> {
  /** Whether some partition waits because its dead letter is not accepted. */
  readonly refused: boolean
  /** Resolves when the broker has acknowledged the dead letter; `interrupted`: `signal` was aborted first. */
  publish(
    place: Place,
    record: KafkaRecord,
    failure: RecordFailure,
    signal: AbortSignal,
  ): Promise<'done' | 'interrupted'>
}

export function createDeadLetters<Place extends TopicPartition>(
  publisher: DeadLetterPublisher,
  group: string,
  report: DeadLetterReport<Place>,
): DeadLetters<Place> {
  const waiting = new Set<KafkaRecord>()
  const host = hostname()
  return {
    get refused() {
      return waiting.size > 0
    },
    async publish(place, record, failure, signal) {
      const { topic, partition } = place
      const { error, ...known } = failure
      const described = {
        ...known,
        errorClass: error instanceof Error ? error.name : typeof error,
        message: error instanceof Error ? error.message : String(error),
        group,
        host,
      }
      try {
        const stored = await retry(() => publisher.publish({ topic, partition, ...record }, described), {
          policy: untilItWorks,
          signal,
          onRetry: info => {
            waiting.add(record)
            report.deadLetterRefused(place, record, info)
          },
        })
        report.deadLettered(place, record, failure, stored)
        return 'done'
      } catch (cause) {
        if (cause instanceof AbortError) return 'interrupted'
        throw cause
      } finally {
        waiting.delete(record)
      }
    },
  }
}

/** The failure of a record that no retry can cure. */
export function notRetryable(error: unknown): RecordFailure {
  const now = new Date()
  return { category: 'not retryable', error, attempts: 1, firstFailureAt: now, lastFailureAt: now }
}
