/** What one read of the table means. Pure. */
import { advance } from './cursor.ts'
import { charsOfHoles, holesLimitChars } from './cursor-text.ts'
import { deadOf } from './hole-watch.ts'
import { noSeqs, rangesOf, unionOf, upTo, without } from './seq-ranges.ts'
import type { Cursor, Progress } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { SeqRanges } from './seq-ranges.ts'

export interface Scan extends Progress {
  /** Ascending by seq: what fills holes comes before what is new. */
  readonly rows: readonly OutboxRow[]
  /** There is certainly more to read. */
  readonly more: boolean
  /** The first row that was found and must wait until Kafka has room for the holes that it would make. */
  readonly leftOut: number | null
}

/**
 * @param cursor what was read for: every row above `high`, and those that fill the holes
 * @param rows what was found, ascending by seq
 * @param complete no limit ended the read
 * @param doomed holes that are dead unless the read found their rows
 * @param laneCursors those that Kafka keeps once the scan is published
 * @param limitChars of the holes of each, as Kafka keeps them
 */
export function scanOf(
  cursor: Cursor,
  rows: readonly OutboxRow[],
  complete: boolean,
  doomed: SeqRanges,
  laneCursors: readonly Cursor[],
  limitChars = holesLimitChars,
): Scan {
  const seqs = rows.map(({ seq }) => seq)
  const filling = rangesOf(seqs.filter(seq => seq <= cursor.high))
  const fresh = rangesOf(seqs.filter(seq => seq > cursor.high))
  const end = complete ? Infinity : (seqs.at(-1) ?? 0)
  const dead = doomed.length === 0 ? noSeqs : deadOf(doomed, rangesOf(seqs), readBy(cursor, end))
  const high = Math.max(seqs.at(-1) ?? 0, cursor.high)
  const scan: Scan = {
    rows,
    high,
    gaps: fresh.length === 0 ? noSeqs : without([{ from: cursor.high + 1, to: high }], unionOf(fresh, dead)),
    closed: unionOf(filling, fresh, dead),
    more: !complete && rows.length > 0,
    leftOut: null,
  }
  return whatFits(scan, laneCursors, limitChars)
}

/** Of which numbers a read shows whether they have rows: what it asked for, up to where it ended. */
function readBy({ high, holes }: Cursor, end: number): SeqRanges {
  return upTo(unionOf(holes, [{ from: high + 1, to: Infinity }]), end)
}

/**
 * Adds rows of a later read of the scan's holes: those that precede a row of the scan in its aggregate. A server may show
 * a transaction and not yet the one that it waited for, when it makes its snapshot without holding the world still (MariaDB does,
 * ReadView snapshots of trx_sys_t::snapshot_ids). A read that begins later shows both.
 */
export function withPredecessors(
  scan: Scan,
  later: readonly OutboxRow[],
  laneCursors: readonly Cursor[],
  limitChars = holesLimitChars,
): Scan {
  const newest = new Map<string, number>()
  for (const row of scan.rows) newest.set(aggregateOf(row), row.seq)
  const missed = later.filter(row => row.seq < (newest.get(aggregateOf(row)) ?? 0))
  if (missed.length === 0) return scan
  const found = rangesOf(missed.map(({ seq }) => seq))
  const whole = {
    ...scan,
    rows: [...missed, ...scan.rows].toSorted((a, b) => a.seq - b.seq),
    gaps: without(scan.gaps, found),
    closed: unionOf(scan.closed, found),
  }
  // What does not fit is left out with everything above it, so also with what comes after it in its aggregate.
  return whatFits(whole, laneCursors, limitChars)
}

function aggregateOf({ aggregatetype, aggregateid }: OutboxRow): string {
  return `${aggregatetype}/${aggregateid}`
}

/**
 * Kafka keeps so many holes and no more. New gaps bring some, and so do rows that fill a large hole here and there: what would be too
 * many is not read before transactions end, whose rows or deaths close holes. Once all have ended, every hole up to the first row closes, in
 * the lanes that are ahead too, so that at least this row fits.
 */
function whatFits(scan: Scan, laneCursors: readonly Cursor[], limitChars: number): Scan {
  if (fits(scan, laneCursors, limitChars)) return scan
  let fitting = 0
  // All rows may still fit, without the dead above the last of them.
  let tooMany = scan.rows.length + 1
  while (tooMany - fitting > 1) {
    const middle = (fitting + tooMany) >> 1
    if (fits(upToRow(scan, middle), laneCursors, limitChars)) fitting = middle
    else tooMany = middle
  }
  return { ...upToRow(scan, fitting), more: false, leftOut: scan.rows[fitting]?.seq ?? null }
}

/** A cursor that is too long already, as an earlier version may have left it, need not become shorter. */
function fits(scan: Scan, laneCursors: readonly Cursor[], limitChars: number): boolean {
  return laneCursors.every(cursor => {
    const chars = charsOfHoles(advance(cursor, scan).holes)
    return chars <= limitChars || chars <= charsOfHoles(cursor.holes)
  })
}

/** What the scan would be had it ended behind so many rows. The dead above them make room, or cut holes in two: they wait as well. */
function upToRow(scan: Scan, count: number): Scan {
  const rows = scan.rows.slice(0, count)
  const high = rows.at(-1)?.seq ?? 0
  return { ...scan, rows, high, gaps: upTo(scan.gaps, high), closed: upTo(scan.closed, high) }
}
