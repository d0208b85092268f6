import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/** Records of one partition, in order, that are applied together; nothing can add to them any more. */
export interface Batch {
  /** At least one record. */
  readonly records: readonly KafkaRecord[]
  readonly firstOffset: string
  /** The offset after the last record. */
  readonly nextOffset: string
}

/** How the buffer asks for fewer or more records: the consumer's pause and resume of its partition. */
export interface Backpressure {
  pause(): void
  resume(): void
}

export interface BufferLimits {
  /** Records of a batch, at most. */
  readonly batchSize: number
  /** A partition is paused when so many records wait... */
  readonly records: number
  /** ...or their values have so many bytes. One fetch may overshoot either: a fetch is never cut. */
  readonly bytes: number
}

/**
 * What all partitions of a process may hold together, so that its memory depends neither on the backlog nor on their number. Two batches
 * of three partitions: one is being gathered while the other one is being written.
 */
const totalRecords = 30_000
const totalBytes = 24 * 1024 * 1024

/** The share of one of `partitions` partitions. */
export function bufferLimits(batchSize: number, partitions: number): BufferLimits {
  return {
    batchSize,
    records: Math.min(2 * batchSize, Math.ceil(totalRecords / partitions)),
    bytes: Math.ceil(totalBytes / partitions),
  }
}

/**
 * Between the fetch loop, which adds and never waits, and the worker of one partition. A batch is whatever has come while the one
 * before it was being written: a single record when little happens, so that nothing waits to be joined by others, and full
 * batches when there is a backlog.
 */
export class PartitionBuffer {
  readonly #limits: BufferLimits
  readonly #backpressure: Backpressure
  #records: KafkaRecord[] = []
  #bytes = 0
  #paused = false
  #wake: (() => void) | null = null

  constructor(limits: BufferLimits, backpressure: Backpressure) {
    this.#limits = limits
    this.#backpressure = backpressure
  }

  /** Records of one fetch, in offset order, following on all that came before. */
  add(records: readonly KafkaRecord[]): void {
    this.#records = this.#records.concat(records)
    this.#bytes += bytesOf(records)
    if (!this.#paused && this.#isFilledTo(1)) {
      this.#paused = true
      this.#backpressure.pause()
    }
    this.#wake?.()
  }

  /** The next batch as soon as there is a record; null once `signal` is aborted: what is buffered then is dropped. */
  async next(signal: AbortSignal): Promise<Batch | null> {
    while (!signal.aborted) {
      const records = this.#records.slice(0, this.#limits.batchSize)
      const first = records[0]
      const last = records.at(-1)
      if (first !== undefined && last !== undefined) {
        this.#records = this.#records.slice(records.length)
        this.#bytes -= bytesOf(records)
        this.#resumeWhenHalfEmpty()
        return { records, firstOffset: first.offset, nextOffset: String(BigInt(last.offset) + 1n) }
      }
      await this.#untilSomethingComes(signal)
    }
    return null
  }

  /** Drops all that waits: the partition is read on from another offset. */
  clear(): void {
    this.#records = []
    this.#bytes = 0
    this.#paused = false
  }

  #isFilledTo(share: number): boolean {
    return this.#records.length >= this.#limits.records * share || this.#bytes >= this.#limits.bytes * share
  }

  #resumeWhenHalfEmpty(): void {
    if (!this.#paused || this.#isFilledTo(0.5)) return
    this.#paused = false
    this.#backpressure.resume()
  }

  #untilSomethingComes(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        this.#wake = null
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}

function bytesOf(records: readonly KafkaRecord[]): number {
  return records.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0)
}
