import type { RetryPolicy } from './schedule.ts'

/** How to wait for a broker or a database that is away: for as long as it takes, asking every few seconds. Give it a signal. */
export const untilItWorks: RetryPolicy = {
  kind: 'exponential',
  baseMs: 200,
  factor: 2,
  capMs: 5_000,
  jitter: 'full',
  maxAttempts: Infinity,
}
