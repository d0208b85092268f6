import type { RetryPolicy } from './schedule.ts'

/** How to wait for a broker or a database that is away: for as long as it takes, asking every second or two. Give it a signal. */
export const untilItWorks = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 2_000,
  jitter: 'full',
  maxAttempts: Infinity,
} as const satisfies RetryPolicy
