import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/**
 * Records of one partition, in order, that are handled and committed together. It is closed: its records were cut out
 * of the collector, and nothing here can add to them while a handler works on them.
 */
export interface Batch {
  /** At least one record. */
  readonly records: readonly KafkaRecord[]
  readonly firstOffset: string
  /** What to commit when every record is done: the offset after the last one. */
  readonly nextOffset: string
  readonly closedBy: CloseReason
}

export type CloseReason = 'size' | 'bytes' | 'timeout'

/** What the collector can say of the batch that it is collecting. */
export type Collecting =
  | { readonly state: 'empty' }
  | { readonly state: 'filling'; readonly closesInMs: number }
  | { readonly state: 'due'; readonly reason: CloseReason }

export interface BatchLimits {
  /** A batch closes when it holds this many records... */
  readonly batchSize: number
  /** ...or when their keys and values have this many bytes: with the record that reaches it... */
  readonly batchBytes: number
  /** ...or this long after its first record arrived, whichever comes first. */
  readonly batchTimeoutMs: number
}

interface Fetched {
  readonly records: readonly KafkaRecord[]
  readonly arrivedAtMs: number
  /** Index of the first record that no batch has taken yet. */
  from: number
}

/**
 * Collects the records of one partition over any number of fetches and says when a batch is due. Pure but for the clock,
 * which is injected (milliseconds, monotonic). A fetch is kept as it came and cut by `slice`: of a record only its bytes are counted.
 */
export class BatchCollector {
  readonly #limits: BatchLimits
  readonly #now: () => number
  readonly #fetches: Fetched[] = []
  #buffered = 0
  #bufferedBytes = 0

  constructor(limits: BatchLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** How many records wait for a batch. */
  get buffered(): number {
    return this.#buffered
  }

  /** The bytes of their keys and values. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Records of one fetch, in offset order, following on all that came before. */
  add(records: readonly KafkaRecord[]): void {
    if (records.length === 0) return
    this.#fetches.push({ records, arrivedAtMs: this.#now(), from: 0 })
    this.#buffered += records.length
    this.#bufferedBytes += bytesOf(records)
  }

  /** Whether the next batch is due, and else how long until its time is up. */
  collecting(): Collecting {
    const oldest = this.#fetches[0]
    if (oldest === undefined) return { state: 'empty' }
    const { batchSize, batchBytes, batchTimeoutMs } = this.#limits
    if (this.#bufferedBytes >= batchBytes && this.#fitting() < batchSize)
      return { state: 'due', reason: 'bytes' }
    if (this.#buffered >= batchSize) return { state: 'due', reason: 'size' }
    const closesInMs = oldest.arrivedAtMs + batchTimeoutMs - this.#now()
    return closesInMs > 0 ? { state: 'filling', closesInMs } : { state: 'due', reason: 'timeout' }
  }

  /** Closes the batch that is due and hands it over; null while none is. */
  close(): Batch | null {
    const collecting = this.collecting()
    if (collecting.state !== 'due') return null
    const records = this.#cut(this.#fitting())
    const first = records[0]
    const last = records.at(-1)
    if (first === undefined || last === undefined) return null
    return {
      records,
      firstOffset: first.offset,
      nextOffset: (BigInt(last.offset) + 1n).toString(),
      closedBy: collecting.reason,
    }
  }

  /** How many of the buffered records the next batch holds at most. */
  #fitting(): number {
    const { batchSize, batchBytes } = this.#limits
    const most = Math.min(this.#buffered, batchSize)
    // Nearly always, and then nothing needs to be counted.
    if (this.#bufferedBytes < batchBytes) return most
    let count = 0
    let bytes = 0
    for (const { records, from } of this.#fetches) {
      for (let index = from; index < records.length; index++) {
        if (count === most || bytes >= batchBytes) return count
        bytes += bytesOfRecord(records[index]!)
        count++
      }
    }
    return count
  }

  #cut(count: number): KafkaRecord[] {
    let records: KafkaRecord[] | null = null
    let missing = count
    for (let fetched = this.#fetches[0]; fetched !== undefined && missing > 0; fetched = this.#fetches[0]) {
      const piece = fetched.records.slice(fetched.from, fetched.from + missing)
      fetched.from += piece.length
      missing -= piece.length
      if (fetched.from === fetched.records.length) this.#fetches.shift()
      records = records === null ? piece : records.concat(piece)
    }
    this.#buffered -= count
    this.#bufferedBytes -= bytesOf(records ?? [])
    return records ?? []
  }
}

function bytesOf(records: readonly KafkaRecord[]): number {
  let bytes = 0
  for (const record of records) bytes += bytesOfRecord(record)
  return bytes
}

function bytesOfRecord({ key, value }: KafkaRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0)
}
