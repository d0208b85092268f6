import { hostname } from 'node:os'
import { retry } from '@kafka-pattern/retry'
import { untilItWorks } from './until-it-works.ts'
import type { SinkReport } from './sink-report.ts'
import type { DeadLetterPublisher } from '@kafka-pattern/dead-letter'
import type { KafkaRecord, TopicPartition } from '@kafka-pattern/kafka-config'

export interface DeadLetters {
  /** Whether some partition waits because its dead letter is not accepted. */
  readonly refused: boolean
  /**
   * Resolves when the broker has acknowledged the dead letter. Until then it is published again and again: a record neither
   * applied nor dead-lettered would be lost by the next move of the offset.
   * @throws AbortError when `signal` is aborted first
   */
  publish(partition: TopicPartition, record: KafkaRecord, error: unknown, signal: AbortSignal): Promise<void>
}

export function createDeadLetters(
  publisher: DeadLetterPublisher,
  group: string,
  report: SinkReport,
): DeadLetters {
  const waiting = new Set<KafkaRecord>()
  const host = hostname()
  return {
    get refused() {
      return waiting.size > 0
    },
    async publish({ topic, partition }, record, error, signal) {
      const now = new Date()
      const failure = {
        category: 'not retryable',
        errorClass: error instanceof Error ? error.name : typeof error,
        message: error instanceof Error ? error.message : String(error),
        attempts: 1,
        firstFailureAt: now,
        lastFailureAt: now,
        group,
        host,
      } as const
      try {
        const stored = await retry(() => publisher.publish({ topic, partition, ...record }, failure), {
          policy: untilItWorks,
          signal,
          onRetry: info => {
            waiting.add(record)
            report.deadLetterRefused({ topic, partition }, record, info)
          },
        })
        report.deadLettered({ topic, partition }, record, error, stored)
      } finally {
        waiting.delete(record)
      }
    },
  }
}
