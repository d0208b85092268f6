import type { RetryPolicy } from '@kafka-pattern/retry'

/** How to wait for a broker or a database: until it works, or the partition is given up. */
export const untilItWorks: RetryPolicy = {
  kind: 'exponential',
  baseMs: 200,
  factor: 2,
  capMs: 5_000,
  jitter: 'full',
  maxAttempts: Infinity,
}
