/**
 * Where records wait until they leave, and the decisions about when and in which company they leave. No I/O, no timers, no
 * clock of its own: the sender brings those (gathering-producer.ts). The parts are those of Java's RecordAccumulator.
 *
 * A partition's records leave in the order in which they came. Records that have to be sent again go back to the head of
 * their queue, and a partition is in at most one request at a time, so that a retry never lets a later record overtake.
 */
import type { Delivery } from './delivery.ts'

/** Kafka knows headers without a value: other clients write them, so a record that is passed on may have them. */
export type HeaderValue = string | Buffer | null

/** A record that waits or is being sent. Its first four fields are what kafkajs encodes. */
export interface PendingRecord {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  readonly headers: Record<string, HeaderValue | HeaderValue[]>
  timestamp: string
  readonly sizeBytes: number
  /** The caller's; otherwise it is the clock of this host. */
  readonly isTimestampGiven: boolean
  /** The partition that the caller asks for. */
  readonly wantedPartition: number | undefined
  /** On the monotonic clock. */
  readonly queuedAtMs: number
  /** Position in its delivery: which of the records of one `sendBatch` it is. */
  readonly index: number
  /** Whom to tell; null once told. */
  delivery: Delivery | null
  /** A request with this record went unanswered: it may be stored. */
  perhapsStored: boolean
}

/** First in, first out, with the way back to the head for records that must be sent again. The oldest is always at the head. */
export class RecordQueue {
  #records: PendingRecord[] = []
  #head = 0
  #sizeBytes = 0

  get length(): number {
    return this.#records.length - this.#head
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get oldest(): PendingRecord | undefined {
    return this.#records[this.#head]
  }

  includes(record: PendingRecord): boolean {
    return this.#records.includes(record, this.#head)
  }

  append(record: PendingRecord): void {
    this.#records.push(record)
    this.#sizeBytes += record.sizeBytes
  }

  /**
   * Takes records from the head, as many as fit: always at least one, then while the sum stays within `limitBytes`.
   * Empty only when the queue is, or when not even the first record fits and `mayExceed` is false.
   */
  take(limitBytes: number, mayExceed: boolean): PendingRecord[] {
    const first = this.oldest
    if (first === undefined || (first.sizeBytes > limitBytes && !mayExceed)) return []
    let takenBytes = 0
    let end = this.#head
    for (; end < this.#records.length; end++) {
      const { sizeBytes } = this.#records[end]!
      if (end > this.#head && takenBytes + sizeBytes > limitBytes) break
      takenBytes += sizeBytes
    }
    const taken = this.#records.slice(this.#head, end)
    this.#sizeBytes -= takenBytes
    this.#forget(end)
    return taken
  }

  /** Puts records back before all others, in their order; older ones that were moved here meanwhile stay before them. */
  putBack(records: readonly PendingRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)]
    this.#head = 0
    for (const { sizeBytes } of records) this.#sizeBytes += sizeBytes
    this.sortByAge()
  }

  /** For records that were appended although they had waited elsewhere. Records of one age keep their order. */
  sortByAge(): void {
    // Linear: these are a few runs, each in order, and the sort finds them.
    this.#records = this.#records.slice(this.#head).toSorted((a, b) => a.queuedAtMs - b.queuedAtMs)
    this.#head = 0
  }

  /** Takes the records out that were queued at `queuedAtMs` or before; they are at the head. */
  takeQueuedUntil(queuedAtMs: number): PendingRecord[] {
    const taken: PendingRecord[] = []
    for (
      let record = this.oldest;
      record !== undefined && record.queuedAtMs <= queuedAtMs;
      record = this.oldest
    ) {
      taken.push(record)
      this.#sizeBytes -= record.sizeBytes
      this.#head++
    }
    this.#forget(this.#head)
    return taken
  }

  takeAll(): PendingRecord[] {
    return this.takeQueuedUntil(Infinity)
  }

  /** Moves the head; frees what lies before it once that is the greater part, so that its cost stays constant per record. */
  #forget(head: number): void {
    this.#head = head
    if (head === this.#records.length) {
      this.#records = []
      this.#head = 0
    } else if (head > 1024 && head * 2 > this.#records.length) {
      this.#records = this.#records.slice(head)
      this.#head = 0
    }
  }
}

/**
 * When a broker's waiting records leave, on the clock of `lingerUntilMs`: at once when enough bytes wait or when the producer
 * is flushing, else when the oldest has waited long enough. Infinity: not before something changes.
 */
export function departureMs(waiting: {
  sizeBytes: number
  lingerUntilMs: number
  batchBytes: number
  flushing: boolean
}): number {
  if (waiting.sizeBytes === 0) return Infinity
  return waiting.flushing || waiting.sizeBytes >= waiting.batchBytes ? 0 : waiting.lingerUntilMs
}

/** A partition as far as filling a request goes. */
export interface WaitingPartition {
  readonly queue: RecordQueue
  /** The largest batch that this partition is given at a time. */
  readonly batchLimitBytes: number
}

/**
 * Fills one request from the partitions in the order given, each with one batch, until `requestBytes` are reached. A batch
 * that would not fit whole is cut; the first takes at least one record, whatever its size.
 */
export function fillRequest<P extends WaitingPartition>(
  partitions: Iterable<P>,
  requestBytes: number,
): { partition: P; records: PendingRecord[] }[] {
  const request: { partition: P; records: PendingRecord[] }[] = []
  let leftBytes = requestBytes
  for (const partition of partitions) {
    if (leftBytes <= 0) break
    const { queue, batchLimitBytes } = partition
    const ownLimitBytes = Math.min(leftBytes, batchLimitBytes)
    // A record over the partition's own limit travels alone; it must not be kept back for ever.
    const mayExceed = request.length === 0 || batchLimitBytes <= leftBytes
    const records = queue.take(ownLimitBytes, mayExceed)
    if (records.length === 0) continue
    for (const { sizeBytes } of records) leftBytes -= sizeBytes
    request.push({ partition, records })
  }
  return request
}

/** How large a partition's batches may be, as far as its broker's refusals have taught. */
export interface BatchLimit {
  /** For the next batch. */
  readonly nextBytes: number
  /** Never more than this. */
  readonly mostBytes: number
}

/**
 * After a batch of several records was refused: half of it next. A batch that was too large says something about the
 * topic's `max.message.bytes`, so that limit stays (it never falls below half of the topic's); a bad record does not.
 */
export function afterRefusedBatch(
  limit: BatchLimit,
  refusedBytes: number,
  everyBatchTooLarge: boolean,
): BatchLimit {
  const half = Math.max(1, Math.floor(refusedBytes / 2))
  return {
    nextBytes: half,
    mostBytes: everyBatchTooLarge ? Math.min(limit.mostBytes, half) : limit.mostBytes,
  }
}

/** After a batch that was accepted, or a single record that was refused: twice as much, within what was learned. */
export function afterSettledBatch(limit: BatchLimit): BatchLimit {
  if (limit.nextBytes === limit.mostBytes) return limit
  return { nextBytes: Math.min(limit.mostBytes, limit.nextBytes * 2), mostBytes: limit.mostBytes }
}

/** Bytes of a record in a record batch, at most: its parts, and its lengths, deltas and attributes as varints. */
export function recordSizeBytes(record: {
  key: string | Buffer | null
  value: string | Buffer | null
  headers?: Record<string, HeaderValue | HeaderValue[]>
}): number {
  let sizeBytes = 30 + partSizeBytes(record.key, 'key') + partSizeBytes(record.value, 'value')
  const { headers } = record
  if (headers === undefined) return sizeBytes
  for (const name in headers) {
    const values = headers[name]
    if (Array.isArray(values)) for (const value of values) sizeBytes += headerSizeBytes(name, value)
    else sizeBytes += headerSizeBytes(name, values)
  }
  return sizeBytes
}

function headerSizeBytes(name: string, value: HeaderValue | undefined): number {
  if (value === undefined) throw new TypeError(`header ${name} has no value`)
  return 10 + Buffer.byteLength(name) + partSizeBytes(value, 'header', name)
}

/** Asked of every part of every record: what it is called is put together only for the error. */
function partSizeBytes(part: string | Buffer | null, what: 'key' | 'value' | 'header', name = ''): number {
  if (typeof part === 'string') return Buffer.byteLength(part)
  if (part === null || part === undefined) return 0
  if (Buffer.isBuffer(part)) return part.length
  throw new TypeError(`the ${`${what} ${name}`.trimEnd()} of a record must be a string, a Buffer or null`)
}
