import type { RetryPolicy } from '@kafka-pattern/retry'

/** How to wait for a database or a broker that is away: until it is back. */
export const untilItWorks: RetryPolicy = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 2_000,
  jitter: 'full',
  maxAttempts: Infinity,
}
