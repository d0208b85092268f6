/**
 * Asks for metadata when somebody needs it: one request at a time, soon after the first wish, with growing pauses while it
 * fails or while what was wished for is still missing. Does nothing when nobody wishes anything.
 */
import { nextDelayMs } from '@kafka-pattern/retry'
import type { RetryPolicy } from '@kafka-pattern/retry'

/** Java's retry.backoff.ms and retry.backoff.max.ms, with full jitter. */
export const backoffPolicy: RetryPolicy = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 1_000,
  jitter: 'full',
  maxAttempts: Infinity,
}

/** Brokers learn of a new leader one after the other: asking more often than this only burdens them. */
const shortestIntervalMs = 50

export class MetadataRefresher {
  readonly #refresh: () => Promise<'complete' | 'incomplete'>
  readonly #onFailure: (error: unknown, failures: number) => void
  #current: Promise<'complete' | 'incomplete'> | undefined
  #timer: NodeJS.Timeout | undefined
  #wishedMeanwhile = false
  #failures = 0
  #incomplete = 0
  #endedAtMs = -Infinity
  #stopped = false

  /**
   * @param refresh fetches and applies; says whether everything that was wished for is there
   * @param onFailure told of each failure of a wished refresh, and how many there were in a row
   */
  constructor(
    refresh: () => Promise<'complete' | 'incomplete'>,
    onFailure: (error: unknown, failures: number) => void,
  ) {
    this.#refresh = refresh
    this.#onFailure = onFailure
  }

  /** The last attempt failed. */
  get failing(): boolean {
    return this.#failures > 0
  }

  /** A request is on its way. */
  get awaitsAnswer(): boolean {
    return this.#current !== undefined
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Wants newer metadata than there is now. */
  wish(): void {
    if (this.#current !== undefined) this.#wishedMeanwhile = true
    else if (this.#timer === undefined) {
      this.#schedule(Math.max(0, this.#endedAtMs + shortestIntervalMs - performance.now()))
    }
  }

  /** One attempt at once. @throws what it failed with; it is then not repeated */
  async now(): Promise<void> {
    this.#wishedMeanwhile = false
    try {
      await this.#attempt()
    } finally {
      if (this.#wishedMeanwhile) this.wish()
    }
  }

  /** An attempt that is on its way is not interrupted; none follows. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #attempt(): Promise<'complete' | 'incomplete'> {
    this.#current ??= this.#refresh()
      .then(
        result => {
          this.#failures = 0
          return result
        },
        (error: unknown) => {
          this.#failures++
          throw error
        },
      )
      .finally(() => {
        this.#current = undefined
        this.#endedAtMs = performance.now()
      })
    return this.#current
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      void this.#fulfilWishes()
    }, delayMs)
  }

  async #fulfilWishes(): Promise<void> {
    this.#timer = undefined
    this.#wishedMeanwhile = false
    try {
      this.#incomplete = (await this.#attempt()) === 'incomplete' ? this.#incomplete + 1 : 0
    } catch (error) {
      if (!this.#stopped) this.#onFailure(error, this.#failures)
    }
    const unsuccessful = this.#failures + this.#incomplete
    if (unsuccessful > 0) this.#schedule(nextDelayMs(backoffPolicy, unsuccessful, 0) ?? 0)
    else if (this.#wishedMeanwhile) this.wish()
  }
}
