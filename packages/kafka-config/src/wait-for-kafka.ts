import { retry } from '@kafka-pattern/retry'
import type { Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { classifyKafkaError } from './errors.ts'
import { reasonOf } from './error-causes.ts'
import { withAdmin } from './kafka.ts'

/**
 * Waits, for ever unless aborted, until a broker answers a metadata request. Each failed attempt is logged with the
 * reason; the pauses grow from 0.2 s to 5 s.
 *
 * @throws what the broker says when waiting cannot help: wrong credentials, not authorized, a certificate not trusted
 * @throws AbortError when the signal is aborted
 */
export async function waitForKafka(
  kafka: Kafka,
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
): Promise<void> {
  await retry(() => withAdmin(kafka, admin => admin.describeCluster()), {
    policy: {
      kind: 'exponential',
      baseMs: 200,
      factor: 2,
      capMs: 5_000,
      jitter: 'none',
      maxAttempts: Infinity,
    },
    isRetryable: error => classifyKafkaError(error) !== 'fatal',
    ...(signal && { signal }),
    onRetry: ({ attempt, delayMs, error }) =>
      logger.warn({ attempt, delayMs, reason: reasonOf(error) }, 'waiting for a Kafka broker to answer'),
  })
}
