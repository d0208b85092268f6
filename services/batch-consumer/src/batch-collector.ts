import { contentBytes, contentBytesOf } from '@kafka-pattern/kafka-config'
import { copyRecords } from './copy-records.ts'
import type { FetchedRecords, KafkaRecord } from '@kafka-pattern/kafka-config'

/**
 * Records of one partition, in order, that are handled and committed together. It is closed: its records were cut out
 * of the collector, and nothing here can add to them while a handler works on them.
 */
export interface Batch {
  /** At least one record. */
  readonly records: readonly KafkaRecord[]
  readonly firstOffset: string
  /** What to commit when every record is done. */
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
  /** ...or when their keys, values and headers have this many bytes: with the record that reaches it... */
  readonly batchBytes: number
  /** ...or this long after its first record arrived, whichever comes first. */
  readonly batchTimeoutMs: number
}

/** What a fetch brings of the partition. */
export type Fetched = Pick<FetchedRecords, 'records' | 'nextOffset'>

interface Waiting {
  readonly records: readonly KafkaRecord[]
  readonly nextOffset: string
  readonly arrivedAtMs: number
  /** Index of the first record that no batch has taken yet. */
  from: number
}

/** Who takes them in time has few fetches waiting, and none is copied. From so many on they could hold more memory than is counted. */
const fetchesUncopied = 4

/**
 * Collects the records of one partition over any number of fetches and says when a batch is due. Pure but for the clock,
 * which is injected (milliseconds, monotonic). A fetch is kept as it came and cut by `slice`: of a record only its bytes are counted.
 */
export class BatchCollector {
  readonly #limits: BatchLimits
  readonly #now: () => number
  readonly #fetches: Waiting[] = []
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

  /** The bytes of their keys, values and headers. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Records of one fetch, in offset order, following on all that came before. */
  add({ records, nextOffset }: Fetched): void {
    if (records.length === 0) return
    const kept = this.#fetches.length < fetchesUncopied ? records : copyRecords(records)
    this.#fetches.push({ records: kept, nextOffset, arrivedAtMs: this.#now(), from: 0 })
    this.#buffered += records.length
    this.#bufferedBytes += contentBytesOf(records)
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
    const { records, nextOffset } = this.#cut(this.#fitting())
    const first = records[0]
    if (first === undefined) return null
    return { records, firstOffset: first.offset, nextOffset, closedBy: collecting.reason }
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
        bytes += contentBytes(records[index]!)
        count++
      }
    }
    return count
  }

  #cut(count: number): { records: KafkaRecord[]; nextOffset: string } {
    let records: KafkaRecord[] | null = null
    let nextOffset = ''
    let missing = count
    for (let fetched = this.#fetches[0]; fetched !== undefined && missing > 0; fetched = this.#fetches[0]) {
      const piece = fetched.records.slice(fetched.from, fetched.from + missing)
      fetched.from += piece.length
      missing -= piece.length
      nextOffset = fetched.records[fetched.from]?.offset ?? fetched.nextOffset
      if (fetched.from === fetched.records.length) this.#fetches.shift()
      records = records === null ? piece : records.concat(piece)
    }
    this.#buffered -= count
    this.#bufferedBytes -= contentBytesOf(records ?? [])
    return { records: records ?? [], nextOffset }
  }
}
