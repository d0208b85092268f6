export { AbortError, RetriesExhaustedError, retry } from './retry.ts'
export type { RetryInfo, RetryOptions } from './retry.ts'
export { checkPolicy, nextDelayMs } from './schedule.ts'
export type { RetryPolicy } from './schedule.ts'
