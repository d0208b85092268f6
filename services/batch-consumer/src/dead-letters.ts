import { hostname } from 'node:os'
import { AbortError, retry } from '@kafka-pattern/retry'
import { untilItWorks } from './until-it-works.ts'
import type { BatchReport } from './batch-report.ts'
import type { BatchPlace } from './process-batch.ts'
import type { DeadLetterPublisher, Failure } from '@kafka-pattern/dead-letter'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/** Why a record is given up. */
export interface RecordFailure {
  readonly category: Failure['category']
  /** Of the last attempt. */
  readonly error: unknown
  readonly attempts: number
  readonly firstFailureAt: Date
  readonly lastFailureAt: Date
}

export interface DeadLetters {
  /** Whether some partition waits because its dead letter is not accepted. */
  readonly refused: boolean
  /**
   * Resolves when the broker has acknowledged the dead letter. Until then it is published again and again: a record neither
   * handled nor dead-lettered would be lost by the next commit. `interrupted`: `signal` was aborted first.
   */
  publish(
    place: BatchPlace,
    record: KafkaRecord,
    failure: RecordFailure,
    signal: AbortSignal,
  ): Promise<'done' | 'interrupted'>
}

export function createDeadLetters(
  publisher: DeadLetterPublisher,
  group: string,
  report: BatchReport,
): DeadLetters {
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
