import type { RetryPolicy } from '@kafka-pattern/retry'

/** How to wait for a broker that does not take a dead letter or a commit: until it does, or the partition is given up. */
export const untilItWorks: RetryPolicy = {
  kind: 'exponential',
  baseMs: 200,
  factor: 2,
  capMs: 5_000,
  jitter: 'full',
  maxAttempts: Infinity,
}
