/**
 * How far a lane has published: everything up to `high`, except for the holes. Pure.
 *
 * A hole is a number below `high` of which no row was seen: its transaction is open, or was rolled back. Which of the two, only time
 * tells; until then the hole is remembered, and nobody waits for it.
 */
import { includesSeq, noSeqs, unionOf, upTo, without } from './seq-ranges.ts'
import type { SeqRanges } from './seq-ranges.ts'

export interface Cursor {
  readonly high: number
  readonly holes: SeqRanges
}

/** What one look at the table changes about a cursor that is as far as the look's beginning, or anywhere behind or before it. */
export interface Progress {
  /** All rows that are visible up to here were looked at. */
  readonly high: number
  /** Newly skipped: above the high mark of before, not above the one of now. */
  readonly gaps: SeqRanges
  /** Holes that are none any more: their rows were read, or will never come. */
  readonly closed: SeqRanges
}

export const emptyCursor: Cursor = { high: 0, holes: noSeqs }

/** A row of the lane with this number is still to be published. */
export function isPending({ high, holes }: Cursor, seq: number): boolean {
  return seq > high || includesSeq(holes, seq)
}

/** The same cursor when nothing changes. */
export function advance(cursor: Cursor, { high, gaps, closed }: Progress): Cursor {
  const news = gaps.length === 0 ? gaps : without(gaps, [{ from: 0, to: cursor.high }])
  const rest = without(cursor.holes, closed)
  if (high <= cursor.high && rest === cursor.holes && news.length === 0) return cursor
  return { high: Math.max(cursor.high, high), holes: news.length === 0 ? rest : unionOf(rest, news) }
}

/** Reads everything that is pending for either. What is pending for one only, the other one knows to be done. */
export function behindBoth(a: Cursor, b: Cursor): Cursor {
  const high = Math.min(a.high, b.high)
  return { high, holes: upTo(unionOf(a.holes, b.holes), high) }
}

/** Everything below it is published: no row that is still to come has a lower number. */
export function lowMarkOf({ high, holes }: Cursor): number {
  return holes[0]?.from ?? high + 1
}
