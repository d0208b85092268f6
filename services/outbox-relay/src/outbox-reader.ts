/**
 * Reads the outbox for all lanes of this process, once. Whatever is visible is read at once; what is missing below it is remembered as
 * holes and asked for again with every read, until it is filled or dead. Locks nothing, so no writer waits for it.
 */
import { rowsOfHalf } from '@kafka-pattern/mysql-config'
import { advance, behindBoth, emptyCursor } from './cursor.ts'
import {
  doomedAt,
  holesClosed,
  holesSeen,
  looked,
  lookedInVain,
  needsLook,
  nothingWatched,
} from './hole-watch.ts'
import { newestSeq, requireEnd } from './outbox-end.ts'
import { lookAtOpenTransactions, mayBeAnotherServer } from './open-transactions.ts'
import { rowColumns, rowOf } from './outbox-row.ts'
import { scanOf, withPredecessors } from './scan.ts'
import { countOf, noSeqs, without } from './seq-ranges.ts'
import type { Cursor } from './cursor.ts'
import type { TransactionsLook } from './open-transactions.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { Scan } from './scan.ts'
import type { SeqRanges } from './seq-ranges.ts'
import type { Mysql, ReadLimits } from '@kafka-pattern/mysql-config'

export interface OutboxReaderOptions {
  readonly mysql: Mysql
  readonly lanes: number
  /** Rows of one read, at most. */
  readonly batchRows: number
  /** Bytes of one read, at most, but for the row that passes the limit. */
  readonly batchBytes: number
  /** See hole-watch.ts. */
  readonly holeGraceMs: number
  /** Of the holes of a cursor, at most: by default as many as brokers take. */
  readonly holesLimitChars?: number
}

export class OutboxReader {
  readonly #options: OutboxReaderOptions
  #cursor: Cursor | null = null
  #watch = nothingWatched
  #leftOut: number | null = null
  #lastLook: TransactionsLook | null = null
  /** Of the next read: fewer rows than `batchRows` when they are large, and less of both after a read that took too long. */
  #limits: ReadLimits

  constructor(options: OutboxReaderOptions) {
    this.#options = options
    this.#limits = { rows: options.batchRows, bytes: options.batchBytes }
  }

  /** Numbers of which it is not known yet whether their rows will come. */
  get holes(): number {
    return countOf(this.#cursor?.holes ?? noSeqs)
  }

  /**
   * From now on also reads everything that is pending for this cursor. Not while a read is under way.
   *
   * All of its holes are watched, those above where the reads begin too: the lane that is ahead may have no room for another one, and then
   * nothing is read for any lane until some of them close.
   */
  readFor(cursor: Cursor): void {
    this.#watch = holesSeen(this.#watch, cursor.holes, performance.now())
    this.#cursor = this.#cursor === null ? cursor : behindBoth(this.#cursor, cursor)
  }

  /** Nobody reads any more. */
  forget(): void {
    this.#cursor = null
    this.#watch = nothingWatched
    this.#leftOut = null
  }

  /**
   * One read, and what it means for every cursor that it was made for.
   * @param laneCursors all of them: none of them grows beyond what Kafka keeps
   */
  async read(laneCursors: readonly Cursor[]): Promise<Scan> {
    const { holeGraceMs, holesLimitChars } = this.#options
    const cursor = this.#cursor ?? emptyCursor
    const doomed = doomedAt(this.#watch, performance.now(), holeGraceMs)
    const { rows, complete } = await this.#select(`${holesCondition(cursor.holes)}seq > ${cursor.high}`)
    let scan = scanOf(cursor, rows, complete, doomed, laneCursors, holesLimitChars)
    const { holes } = advance(cursor, scan)
    if (scan.rows.length > 0) scan = await this.#addPredecessors(scan, holes, laneCursors)
    this.#cursor = advance(cursor, scan)
    this.#leftOut = scan.leftOut
    this.#watch = holesSeen(holesClosed(this.#watch, scan.closed), scan.gaps, performance.now())
    return scan
  }

  /** See withPredecessors. The holes are read again, page by page: of each, only what is missing is kept. */
  async #addPredecessors(scan: Scan, holes: SeqRanges, laneCursors: readonly Cursor[]): Promise<Scan> {
    let whole = scan
    let rest = holes
    while (rest.length > 0) {
      const { rows, complete } = await this.#select(`${holesCondition(rest)}FALSE`)
      whole = withPredecessors(whole, rows, laneCursors, this.#options.holesLimitChars)
      if (complete) break
      rest = without(rest, [{ from: 0, to: rows.at(-1)?.seq ?? Infinity }])
    }
    return whole
  }

  /** Looks at the open transactions if that can bring a hole nearer to its end. Beside the reads, a few times a second at most. */
  async examineHoles(): Promise<void> {
    const { mysql, holeGraceMs } = this.#options
    if (!needsLook(this.#watch, performance.now(), holeGraceMs)) return
    const look = await lookAtOpenTransactions(mysql)
    if (look === null) return
    const endedAtMs = performance.now()
    if (this.#lastLook !== null && mayBeAnotherServer(this.#lastLook, look)) {
      this.#watch = lookedInVain(this.#watch, endedAtMs)
    }
    this.#watch = looked(this.#watch, look.open, look.begunAtMs, endedAtMs, holeGraceMs)
    this.#lastLook = look
  }

  /**
   * How long ago, in ms, the first row was written from this number on, or that was left out; 0 when there is none, NaN
   * when the number is.
   * @throws MismatchError when the table ends before what was read of it
   */
  async ageOf(seq: number): Promise<number> {
    const { mysql } = this.#options
    const readUpTo = this.#cursor?.high ?? 0
    requireEnd(await newestSeq(mysql), readUpTo)
    const first = Math.min(seq, this.#leftOut ?? Infinity)
    if (!Number.isFinite(first)) return first === Infinity ? 0 : Number.NaN
    const rows = await mysql.rows<{ micros: string }>(
      `SELECT TIMESTAMPDIFF(MICROSECOND, created_at, NOW(6)) AS micros FROM outbox
       WHERE seq >= ${first} ORDER BY seq LIMIT 1`,
    )
    return Math.max(0, Number(rows[0]?.micros ?? 0) / 1_000)
  }

  async #select(condition: string): Promise<{ rows: OutboxRow[]; complete: boolean }> {
    const { mysql, lanes, batchRows, batchBytes } = this.#options
    const limits = this.#limits
    const sql = `SELECT ${rowColumns} FROM outbox WHERE ${condition} ORDER BY seq`
    const found = await mysql.rowArrays(sql, limits).catch((error: unknown) => {
      // The link may be slow: as large as it was, the read would take too long for ever.
      if (tookTooLong(error)) this.#limits = halfOf(limits)
      throw error
    })
    if (found.rows.length > 0) {
      const bytes = Math.min(batchBytes, limits.bytes * 2)
      // To be cut costs the connection.
      this.#limits = { rows: rowsOfHalf(found, bytes, batchRows), bytes }
    }
    const rows = found.rows.map(columns => rowOf(columns, lanes))
    return { rows, complete: !found.cut && rows.length < limits.rows }
  }
}

/** The client waits for the end of an answer, however much of it has come (mysql2, Query._handleTimeoutError). */
function tookTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'PROTOCOL_SEQUENCE_TIMEOUT'
}

function halfOf({ rows, bytes }: ReadLimits): ReadLimits {
  return { rows: Math.ceil(rows / 2), bytes: Math.ceil(bytes / 2) }
}

/** Numbers only, so nothing needs escaping. */
function holesCondition(holes: SeqRanges): string {
  return holes
    .map(({ from, to }) => (from === to ? `seq = ${from} OR ` : `seq BETWEEN ${from} AND ${to} OR `))
    .join('')
}
