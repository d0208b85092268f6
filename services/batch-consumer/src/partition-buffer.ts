import { BatchCollector } from './batch-collector.ts'
import type { Batch, BatchLimits, Fetched } from './batch-collector.ts'

/** How the buffer asks for fewer or more records: the consumer's pause and resume of its partition. */
export interface Backpressure {
  pause(): void
  resume(): void
}

/**
 * A partition is paused from so many records on. One fetch may overshoot it: a fetch is never cut. Four batches, because then two of
 * them are left to work on while the next fetch is under way; with half as many the worker waits for a tenth of its time (measured).
 */
export function bufferLimit(batchSize: number): number {
  return Math.max(4 * batchSize, 1_000)
}

/** It is paused from so many bytes on, too. Two batches: with large records a fetch takes long, but so does the work. */
export function bufferLimitBytes(batchBytes: number): number {
  return 2 * batchBytes
}

/**
 * Between the fetch loop, which adds and never waits, and the worker of one partition, which waits for the next batch: the next
 * batch is collected while one is in process, and memory stays bounded because a full buffer pauses its partition,
 * and no other.
 */
export class PartitionBuffer {
  readonly #collector: BatchCollector
  readonly #backpressure: Backpressure
  readonly #limit: number
  readonly #limitBytes: number
  #paused = false
  #wake: (() => void) | null = null

  constructor(limits: BatchLimits, backpressure: Backpressure, now: () => number = () => performance.now()) {
    this.#collector = new BatchCollector(limits, now)
    this.#backpressure = backpressure
    this.#limit = bufferLimit(limits.batchSize)
    this.#limitBytes = bufferLimitBytes(limits.batchBytes)
  }

  add(fetched: Fetched): void {
    this.#collector.add(fetched)
    const { buffered, bufferedBytes } = this.#collector
    if (!this.#paused && (buffered >= this.#limit || bufferedBytes >= this.#limitBytes)) {
      this.#paused = true
      this.#backpressure.pause()
    }
    this.#wake?.()
  }

  /** The next batch as soon as it is due; null once `signal` is aborted: what is buffered then is dropped. */
  async next(signal: AbortSignal): Promise<Batch | null> {
    while (!signal.aborted) {
      const batch = this.#collector.close()
      if (batch !== null) {
        this.#resumeWhenHalfEmpty()
        return batch
      }
      await this.#untilSomethingChanges(signal)
    }
    return null
  }

  #resumeWhenHalfEmpty(): void {
    const { buffered, bufferedBytes } = this.#collector
    if (!this.#paused || buffered > this.#limit / 2 || bufferedBytes > this.#limitBytes / 2) return
    this.#paused = false
    this.#backpressure.resume()
  }

  #untilSomethingChanges(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const collecting = this.#collector.collecting()
      // Its time can run out between the look that found it filling and this one.
      if (collecting.state === 'due') return resolve()
      const timer =
        collecting.state === 'filling'
          ? setTimeout(() => this.#wake?.(), Math.ceil(collecting.closesInMs))
          : null
      const wake = () => {
        this.#wake = null
        if (timer !== null) clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}
