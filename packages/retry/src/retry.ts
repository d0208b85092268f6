import { checkPolicy, nextDelayMs } from './schedule.ts'
import type { RetryPolicy } from './schedule.ts'

/** The policy allowed no further attempt. `cause` is the error of the last one. */
export class RetriesExhaustedError extends Error {
  readonly attempts: number
  constructor(attempts: number, cause: unknown) {
    super(`gave up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${messageOf(cause)}`, {
      cause,
    })
    this.name = 'RetriesExhaustedError'
    this.attempts = attempts
  }
}

/** The signal was aborted before an attempt succeeded. `cause` is the last attempt's error, if there was one. */
export class AbortError extends Error {
  constructor(cause: unknown) {
    super('aborted while retrying', { cause })
    this.name = 'AbortError'
  }
}

/** What an observer is told after attempt `attempt` failed and before the wait of `delayMs` begins. */
export interface RetryInfo {
  readonly attempt: number
  readonly delayMs: number
  readonly error: unknown
}

export interface RetryOptions {
  policy: RetryPolicy
  /** Default: every error is worth another attempt. */
  isRetryable?: (error: unknown) => boolean
  /** Ends the wait at once. An attempt that is running is not interrupted: give the signal to `work` too. */
  signal?: AbortSignal
  /** Watches; whatever it does to its argument or throws, the schedule and the result stay the same. */
  onRetry?: (info: RetryInfo) => void
}

/**
 * Runs `work` until it succeeds.
 *
 * @param work receives the number of its attempt, 1 first
 * @throws RetriesExhaustedError when the policy gives up
 * @throws the error itself when `isRetryable` says no
 * @throws AbortError when the signal is aborted before or between attempts
 */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, isRetryable = () => true, signal, onRetry } = options
  checkPolicy(policy)
  const begun = performance.now()
  if (signal?.aborted) throw new AbortError(signal.reason)

  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!isRetryable(error)) throw error
      if (signal?.aborted) throw new AbortError(error)
      const delayMs = nextDelayMs(policy, attempt, performance.now() - begun)
      if (delayMs === null) throw new RetriesExhaustedError(attempt, error)
      tell(onRetry, { attempt, delayMs, error })
      await wait(delayMs, signal, error)
    }
  }
}

function tell(observer: RetryOptions['onRetry'], info: RetryInfo): void {
  try {
    observer?.(Object.freeze(info))
  } catch (error) {
    // A defect of the observer must be seen, but it is not a failure of the work: it surfaces as an uncaught exception.
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Longer timeouts overflow a 32-bit integer, and Node then fires after 1 ms. */
const longestTimeoutMs = 2 ** 31 - 1

function wait(delayMs: number, signal: AbortSignal | undefined, lastError: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    // The observer may have aborted just now; an aborted signal sends no further event.
    if (signal?.aborted) {
      reject(new AbortError(lastError))
      return
    }
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(new AbortError(lastError))
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      Math.min(delayMs, longestTimeoutMs),
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
