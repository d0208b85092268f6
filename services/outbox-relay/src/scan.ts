/** What one read of the table means. Pure. */
import { charsOf, holesLimitChars } from './cursor-text.ts'
import { deadOf } from './hole-watch.ts'
import { noSeqs, rangesOf, unionOf, without } from './seq-ranges.ts'
import type { Cursor, Progress } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { SeqRange, SeqRanges } from './seq-ranges.ts'

export interface Scan extends Progress {
  /** Ascending by seq: what fills holes comes before what is new. */
  readonly rows: readonly OutboxRow[]
  /** There is certainly more to read. */
  readonly more: boolean
}

/**
 * @param cursor what was read for: every row above `high`, and those that fill the holes
 * @param rows what was found, ascending by seq
 * @param complete no limit ended the read
 * @param doomed holes that are dead unless the read found their rows
 */
export function scanOf(
  cursor: Cursor,
  rows: readonly OutboxRow[],
  complete: boolean,
  doomed: SeqRanges,
): Scan {
  const filling = rows.filter(({ seq }) => seq <= cursor.high)
  const found = rangesOf(filling.map(({ seq }) => seq))
  const readUpTo = complete ? cursor.high : Math.min(rows.at(-1)?.seq ?? 0, cursor.high)
  const settled = unionOf(found, deadOf(doomed, found, readUpTo))

  const room = new HoleRoom(without(cursor.holes, settled), cursor.high)
  const gaps: SeqRange[] = []
  let high = cursor.high
  let end = filling.length
  for (; end < rows.length; end++) {
    const { seq } = rows[end]!
    if (seq > high + 1) {
      const gap = { from: high + 1, to: seq - 1 }
      // Kafka has no room for more holes: nothing beyond it is read until some of them are filled or dead.
      if (!room.takes(gap)) break
      gaps.push(gap)
    }
    high = seq
  }
  const seen = without(high > cursor.high ? [{ from: cursor.high + 1, to: high }] : noSeqs, gaps)
  return {
    rows: end === rows.length ? rows : rows.slice(0, end),
    high,
    gaps,
    closed: unionOf(settled, seen),
    more: !complete && end === rows.length && end > 0,
  }
}

/**
 * Adds rows of a later read of the scan's holes: those that precede a row of the scan in its aggregate. A server may show
 * a transaction and not yet the one that it waited for, when it makes its snapshot without holding the world still (MariaDB does,
 * ReadView snapshots of trx_sys_t::snapshot_ids). A read that begins later shows both.
 */
export function withPredecessors(scan: Scan, later: readonly OutboxRow[]): Scan {
  const newest = new Map<string, number>()
  for (const row of scan.rows) newest.set(aggregateOf(row), row.seq)
  const missed = later.filter(row => row.seq < (newest.get(aggregateOf(row)) ?? 0))
  if (missed.length === 0) return scan
  const found = rangesOf(missed.map(({ seq }) => seq))
  return {
    ...scan,
    rows: [...missed, ...scan.rows].toSorted((a, b) => a.seq - b.seq),
    gaps: without(scan.gaps, found),
    closed: unionOf(scan.closed, found),
  }
}

function aggregateOf({ aggregatetype, aggregateid }: OutboxRow): string {
  return `${aggregatetype}/${aggregateid}`
}

/** How many holes may still be added from below. */
class HoleRoom {
  #freeChars = holesLimitChars
  #top: SeqRange | undefined
  #aboveTop: number

  constructor(holes: SeqRanges, high: number) {
    this.#aboveTop = high
    for (const hole of holes) this.takes(hole, high)
  }

  /** @param above what is next above the hole, as far as is known */
  takes(hole: SeqRange, above = hole.to + 1): boolean {
    const chars = charsOf(hole, above)
    // How far the one below is from the next above it is known only now.
    const correction =
      this.#top === undefined ? 0 : charsOf(this.#top, hole.from) - charsOf(this.#top, this.#aboveTop)
    if (this.#freeChars < chars + correction) return false
    this.#freeChars -= chars + correction
    this.#top = hole
    this.#aboveTop = above
    return true
  }
}
