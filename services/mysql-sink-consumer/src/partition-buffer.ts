import { contentBytesOf, type FetchedRecords, type KafkaRecord } from '@kafka-pattern/kafka-config'

/** Records of one partition, in order, that are applied together; nothing can add to them any more. */
export interface Batch {
  /** At least one record. */
  readonly records: readonly KafkaRecord[]
  readonly firstOffset: string
  /** The offset to go on with after the last record. */
  readonly nextOffset: string
}

/** What a fetch brings of a partition. */
type Fetched = Pick<FetchedRecords, 'records' | 'nextOffset'>

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
  /** ...or they have so many bytes (a tombstone may have long headers). One fetch may overshoot either: a fetch is never cut. */
  readonly bytes: number
}

/**
 * What waits for all partitions of a process together, so that its memory depends neither on the backlog nor on their number.
 */
const totalRecords = 10_000
const totalBytes = 16 * 1024 * 1024

/** The share of one of `partitions` partitions: the batch that is gathered while the one before it is being written. */
export function bufferLimits(batchSize: number, partitions: number): BufferLimits {
  return {
    batchSize,
    records: Math.min(batchSize, Math.ceil(totalRecords / partitions)),
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
  #nextOffset = '0'
  #bytes = 0
  #paused = false
  #wake: (() => void) | null = null

  constructor(limits: BufferLimits, backpressure: Backpressure) {
    this.#limits = limits
    this.#backpressure = backpressure
  }

  /** The records follow on all that came before. */
  add({ records, nextOffset }: Fetched): void {
    this.#records = this.#records.concat(records)
    this.#nextOffset = nextOffset
    this.#bytes += contentBytesOf(records)
    if (!this.#paused && this.#isFilledTo(1)) {
      this.#paused = true
      this.#backpressure.pause()
    }
    this.#wake?.()
  }

  /** The next batch as soon as there is a record; null once `signal` is aborted: what is buffered then is dropped. */
  async next(signal: AbortSignal): Promise<Batch | null> {
    while (!signal.aborted) {
      const batch = this.#cut()
      if (batch !== null) {
        this.#resumeWhenHalfEmpty()
        return batch
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

  #cut(): Batch | null {
    const records = this.#records.slice(0, this.#limits.batchSize)
    const first = records[0]
    const last = records.at(-1)
    if (first === undefined || last === undefined) return null
    this.#records = this.#records.slice(records.length)
    this.#bytes -= contentBytesOf(records)
    const nextOffset = this.#records.length === 0 ? this.#nextOffset : String(BigInt(last.offset) + 1n)
    return { records, firstOffset: first.offset, nextOffset }
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
