import { retry } from '@kafka-pattern/retry'
import type { Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { classifyKafkaError } from './errors.ts'

/**
 * Waits, for ever unless aborted, until a broker answers a metadata request. Each failed attempt is logged with
 * the reason; the pauses grow from 0.2 s to 5 s.
 *
 * @throws the broker's error when waiting cannot help: wrong credentials, not authorized
 * @throws AbortError when the signal is aborted
 */
export async function waitForKafka(
  kafka: Kafka,
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
): Promise<void> {
  const admin = kafka.admin({ retry: { retries: 0 } })
  try {
    await retry(
      async () => {
        await admin.connect()
        await admin.describeCluster()
      },
      {
        policy: {
          kind: 'exponential',
          baseMs: 200,
          factor: 2,
          capMs: 5_000,
          jitter: 'none',
          maxAttempts: Infinity,
        },
        isRetryable: error => classifyKafkaError(error) === 'retryable',
        ...(signal && { signal }),
        onRetry: ({ attempt, delayMs, error }) =>
          logger.warn({ attempt, delayMs, reason: messageOf(error) }, 'waiting for a Kafka broker to answer'),
      },
    )
  } finally {
    await admin.disconnect()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
