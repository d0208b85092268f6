/**
 * One lane's rows, in transactions one after the other: as many records as wait, and the cursor behind them.
 *
 * That it publishes each row exactly once does not depend on the lease: whoever opens the lane's transactional ids shuts out everybody
 * before, then reads where they ended, and goes on from there. The lease only keeps two relays from doing that to each other.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  BatchRefusedError,
  ProducerFencedError,
  RecordsRefusedError,
  TransactionFailedError,
} from '@kafka-pattern/kafka-config'
import { nextDelayMs, retry, untilItWorks } from '@kafka-pattern/retry'
import { requireMemory } from './committed-cursors.ts'
import { advance, emptyCursor, isPending, lowMarkOf } from './cursor.ts'
import { readCursor, writeCursor } from './cursor-text.ts'
import { holdsLane, notedMarks } from './lane-leases.ts'
import { parkRows, parkedSeqs } from './parking.ts'
import { isOutage, refusedPolicy } from './outage.ts'
import type { Cursor } from './cursor.ts'
import type { CursorText } from './cursor-text.ts'
import type { EventTopics } from './event-topics.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { ParkedRow } from './parking.ts'
import type { RelayReport } from './relay-report.ts'
import type { Scan } from './scan.ts'
import type { KeyedRecord, TransactionalProducer } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** While a backlog is drained: records of the next transaction whose partitions are announced while this one is stored. Enough to know nearly all. */
const announcedAhead = 100
/** No transaction takes so long unless something is away. Who is wrongly taken for held up costs reads, nothing else. */
const heldUpAfterMs = 2_000

export interface LaneOptions {
  readonly lane: number
  readonly lanes: number
  readonly owner: string
  readonly producer: TransactionalProducer
  readonly mysql: Mysql
  readonly topics: Pick<EventTopics, 'refusalOf' | 'forget'>
  readonly report: RelayReport
  /** Where it begins when it has never published. */
  readonly startAfterSeq: number
  /** Rows of a transaction: no further read is added when there are so many. */
  readonly batchRows: number
  /** How often a row is tried that is refused for its own sake. */
  readonly maxAttempts: number
  /** After so long the cursor is committed although no row of this lane has come. */
  readonly idleCommitMs: number
  /** After so long it is committed although it has not moved: Kafka forgets positions after a while (`offsets.retention.minutes`). */
  readonly keepAliveMs: number
}

/** The rows of one read. */
interface Slice {
  readonly rows: readonly OutboxRow[]
  readonly sizeBytes: number
  /** Once they are published. */
  readonly cursor: Cursor
}

interface Batch {
  readonly rows: readonly OutboxRow[]
  readonly cursor: Cursor
  readonly begunAtMs: number
}

export class Lane {
  /** Called when a transaction has ended, and when the lane has stopped. */
  onTransactionEnd: () => void = () => {}
  readonly #options: LaneOptions
  readonly #stopping = new AbortController()
  #committed: { cursor: Cursor; text: CursorText | null; atMs: number } | null = null
  /** Where the lane will be once all slices are published. */
  #ahead: Cursor = emptyCursor
  #slices: Slice[] = []
  #publishing: Batch | null = null
  #parked: ReadonlySet<number> = new Set()
  #wake = Promise.withResolvers<void>()
  #opened = false
  /** For Kafka or MySQL. */
  #waits = false
  #awaitsTopic = false

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get number(): number {
    return this.#options.lane
  }

  /** Where reads for it go on. */
  get ahead(): Cursor {
    return this.#ahead
  }

  /** Open, and not held up. */
  get takesRows(): boolean {
    return this.#committed !== null && !this.stopped && !this.heldUp
  }

  /** The same rows have been under way for long: perhaps their topic has no leader, or cannot be made yet. */
  get heldUp(): boolean {
    return this.#publishing !== null && performance.now() - this.#publishing.begunAtMs > heldUpAfterMs
  }

  /** It publishes, or is about to. */
  get busy(): boolean {
    return !this.stopped && (this.#publishing !== null || this.#slices.length > 0)
  }

  /** Takes no more rows: it was told to stop, or was lost. */
  get stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  /** What waits. */
  get waitingBytes(): number {
    return this.#slices.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  /** No row before it waits. Null before it is open. */
  get oldestWaiting(): number | null {
    if (this.#committed === null) return null
    return (this.#publishing?.rows[0] ?? this.#slices[0]?.rows[0])?.seq ?? this.#ahead.high + 1
  }

  /** What Kafka has of it; null when it has nothing yet, or before it is open. */
  get publishedUpTo(): number | null {
    const committed = this.#committed
    return committed === null || committed.text === null ? null : committed.cursor.high
  }

  /**
   * Nothing is waited out, as far as it knows: while it has nothing to send, it does not learn that Kafka is away. That a new topic
   * takes a moment to have leaders is no outage.
   */
  get healthy(): boolean {
    return this.#opened && !this.#waits && !(this.#awaitsTopic && this.heldUp)
  }

  /**
   * Shuts out earlier owners and goes on where they ended; tries until brokers and database answer.
   * @returns false when the lane is somebody else's by then
   * @throws ForeignCursorError
   * @throws MismatchError when Kafka has forgotten the position, perhaps while relays were running
   * @throws AbortError when the lane is stopped
   */
  async open(): Promise<boolean> {
    const { mysql, lanes, report, startAfterSeq } = this.#options
    const opened = await this.#takeOver()
    if (opened === null) return false
    const { text } = opened
    if (text === null) requireMemory(await this.#untilItWorks(() => notedMarks(mysql)), [this.number])
    const cursor = text === null ? { ...emptyCursor, high: startAfterSeq } : readCursor(text, lanes)
    this.#parked = await this.#untilItWorks(() => parkedSeqs(mysql, lowMarkOf(cursor)))
    this.#committed = { cursor, text, atMs: performance.now() }
    this.#ahead = cursor
    this.#opened = true
    report.laneTaken(this.number, cursor)
    return true
  }

  /** The lane's part of a read. */
  offer(scan: Scan, laneRows: readonly OutboxRow[]): void {
    const rows = laneRows.filter(({ seq }) => isPending(this.#ahead, seq) && !this.#parked.has(seq))
    this.#ahead = advance(this.#ahead, scan)
    if (rows.length === 0) return
    const sizeBytes = rows.reduce((sum, row) => sum + row.sizeBytes, 0)
    this.#slices.push({ rows, sizeBytes, cursor: this.#ahead })
    this.#wake.resolve()
  }

  /** Forgets what waits, as if it had not been offered: whoever reads for it again begins at `ahead`. */
  giveBack(): void {
    this.#slices = []
    this.#ahead = (this.#publishing ?? this.#committed!).cursor
  }

  /** Publishes until it is stopped or the lane is lost. */
  async run(): Promise<'stopped' | 'lost'> {
    try {
      for (;;) {
        const batch = await this.#nextBatch()
        if (batch === null) return 'stopped'
        this.#publishing = batch
        if (!(await this.#publish(batch))) {
          this.stop()
          return 'lost'
        }
        this.#publishing = null
        this.onTransactionEnd()
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return 'stopped'
      throw error
    }
  }

  async close(): Promise<void> {
    this.#opened = false
    await this.#options.producer.close()
  }

  /** Finishes the transaction that is under way, gives up what waits. */
  stop(): void {
    this.#stopping.abort()
    this.#wake.resolve()
    this.onTransactionEnd()
  }

  /** Everything that waits, up to the limit; or, after a while without rows, only how far the reads have come. */
  async #nextBatch(): Promise<Batch | null> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (this.#slices.length > 0) return this.#takeSlices()
      const { cursor, atMs } = this.#committed!
      const { idleCommitMs, keepAliveMs } = this.#options
      const overdueInMs = atMs + (this.#ahead === cursor ? keepAliveMs : idleCommitMs) - performance.now()
      if (overdueInMs <= 0) return { rows: [], cursor: this.#ahead, begunAtMs: performance.now() }
      this.#wake = Promise.withResolvers()
      const timer = setTimeout(() => this.#wake.resolve(), Math.min(overdueInMs, idleCommitMs))
      await this.#wake.promise
      clearTimeout(timer)
    }
    return null
  }

  #takeSlices(): Batch {
    const rows: OutboxRow[] = []
    let cursor = this.#ahead
    let taken = 0
    for (const slice of this.#slices) {
      if (rows.length > 0 && rows.length + slice.rows.length > this.#options.batchRows) break
      for (const row of slice.rows) rows.push(row)
      cursor = slice.cursor
      taken++
    }
    this.#slices = this.#slices.slice(taken)
    return {
      rows,
      cursor: this.#slices.length === 0 ? this.#ahead : cursor,
      begunAtMs: performance.now(),
    }
  }

  /** Some of what the next transaction will hold. */
  #upcoming(): KeyedRecord[] {
    return this.#slices[0]?.rows.slice(0, announcedAhead).map(({ record }) => record) ?? []
  }

  /** False: the lane is somebody else's. */
  async #publish({ rows, cursor }: Batch): Promise<boolean> {
    const { producer, lanes, report, topics, maxAttempts } = this.#options
    const text = writeCursor(cursor, lanes)
    const attempts = new Map<number, number>()
    let publishable = await this.#withoutTopicless(rows)
    for (let failures = 0; ;) {
      if (publishable === null) return false
      try {
        await producer.publish(
          publishable.map(({ record }) => record),
          text,
          () => this.#upcoming(),
        )
        break
      } catch (error) {
        if (!(error instanceof RecordsRefusedError) && !isOutage(error)) throw error
        this.#opened = isRefusal(error)
        failures++
        report.transactionFailed(this.number, error, failures)
        if (error instanceof TransactionFailedError && error.type === 'UNKNOWN_TOPIC_OR_PARTITION') {
          topics.forget()
        }
        if (error instanceof RecordsRefusedError) {
          const hopeless = new Map<number, ParkedRow>()
          for (const { topic, type, indexes } of error.refusals) {
            for (const index of indexes) {
              const { seq } = publishable[index]!
              const tried = (attempts.get(seq) ?? 0) + 1
              attempts.set(seq, tried)
              if (tried < maxAttempts && !neverTaken.has(type)) continue
              hopeless.set(seq, { seq, reason: `${topic} does not take it: ${type}`, attempts: tried })
            }
          }
          const isHopeless = ({ seq }: OutboxRow): boolean => hopeless.has(seq)
          publishable = await this.#park(publishable, publishable.filter(isHopeless), ({ seq }) =>
            hopeless.get(seq)!,
          )
          if (hopeless.size > 0) failures = 0
        }
        if (failures > 0) await this.#pause(failures, error)
        const where = await this.#whereItStands(text)
        if (where === 'behind') break
        if (where === 'elsewhere') return false
        if (publishable !== null) publishable = await this.#withoutTopicless(publishable)
      }
    }
    this.#committed = { cursor, text, atMs: performance.now() }
    this.#opened = true
    report.published(this.number, publishable ?? [], cursor)
    return true
  }

  /**
   * Opens the transactional ids and reads the position. Only for who still has the lane, at every attempt: to open it would shut out
   * its new owner. Null: it is somebody else's.
   */
  #takeOver(): Promise<{ text: CursorText | null } | null> {
    const { mysql, lane, owner, producer } = this.#options
    return this.#untilItWorks(async () => {
      if (!(await holdsLane(mysql, { lane, owner }))) return null
      await producer.open()
      return { text: await producer.position() }
    })
  }

  /** After a failure nobody knows whether the transaction was committed, until it is asked for. */
  async #whereItStands(text: CursorText): Promise<'before' | 'behind' | 'elsewhere'> {
    const found = await this.#takeOver()
    if (found === null) return 'elsewhere'
    if (isSame(found.text, text)) return 'behind'
    return isSame(found.text, this.#committed!.text) ? 'before' : 'elsewhere'
  }

  /** Parks rows of types that have no topic. Null: the lane is somebody else's. */
  async #withoutTopicless(rows: readonly OutboxRow[]): Promise<readonly OutboxRow[] | null> {
    const { topics } = this.#options
    const types = new Set(rows.map(({ aggregatetype }) => aggregatetype))
    let rest: readonly OutboxRow[] | null = rows
    for (const type of types) {
      this.#awaitsTopic = true
      const refusal = await topics.refusalOf(type, this.#stopping.signal)
      this.#awaitsTopic = false
      if (refusal === null || rest === null) continue
      const topicless = rest.filter(({ aggregatetype }) => aggregatetype === type)
      rest = await this.#park(rest, topicless, ({ seq }) => ({ seq, ...refusal }))
    }
    return rest
  }

  /** The rest of the rows, once the others are put aside for good. Null: the lane is somebody else's. */
  async #park(
    rows: readonly OutboxRow[],
    hopeless: readonly OutboxRow[],
    describe: (row: OutboxRow) => ParkedRow,
  ): Promise<readonly OutboxRow[] | null> {
    if (hopeless.length === 0) return rows
    const { mysql, lane, owner, report } = this.#options
    const parked = await this.#untilItWorks(() => parkRows(mysql, { lane, owner }, hopeless.map(describe)))
    if (!parked) return null
    for (const row of hopeless) report.parked(row, describe(row))
    const seqs = new Set(hopeless.map(({ seq }) => seq))
    return rows.filter(({ seq }) => !seqs.has(seq))
  }

  async #pause(failures: number, error: unknown): Promise<void> {
    // Once it is a lane that changes hands; again and again, two that shut each other out.
    if (error instanceof BatchRefusedError || (error instanceof ProducerFencedError && failures === 1)) return
    const policy = error instanceof RecordsRefusedError ? refusedPolicy : untilItWorks
    await delay(nextDelayMs(policy, failures, 0) ?? 0, undefined, { signal: this.#stopping.signal })
  }

  /** An outage is nobody's fault: it is waited out. */
  async #untilItWorks<T>(work: () => Promise<T>): Promise<T> {
    const result = await retry(work, {
      policy: untilItWorks,
      signal: this.#stopping.signal,
      isRetryable: isOutage,
      onRetry: info => {
        this.#waits = true
        this.#options.report.waiting(this.number, info)
      },
    })
    this.#waits = false
    return result
  }
}

/** A record that is too large by itself does not become smaller. */
const neverTaken = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** Kafka is there, but does not take these records. */
function isRefusal(error: unknown): boolean {
  return error instanceof RecordsRefusedError || error instanceof BatchRefusedError
}

function isSame(a: CursorText | null, b: CursorText | null): boolean {
  return a?.offset === b?.offset && a?.metadata === b?.metadata
}
