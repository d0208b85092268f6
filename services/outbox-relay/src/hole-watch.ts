/**
 * When a hole may be forgotten: its transaction was rolled back, no row will ever fill it. Pure; times are of one monotonic clock, in ms.
 *
 * Whoever might still fill a hole had taken its number before the hole was seen. So:
 * 1. After a grace time a look at the open transactions shows it: between taking a number and being listed lie microseconds,
 *    unless the server's thread is held up just there, and that is what the grace time is for.
 * 2. When all transactions of that look have ended, the row is either visible or will never be.
 * 3. After another grace time, for a transaction that is not listed any more and not yet visible, a read begins. What it does not find
 *    is dead.
 * The looks must be fresh, for innodb_trx is a cache, and of one server since its start (open-transactions.ts).
 */
import { noSeqs, overlapOf, unionOf, without } from './seq-ranges.ts'
import type { SeqRanges } from './seq-ranges.ts'

interface Watched {
  readonly ranges: SeqRanges
  /** Transactions that might still fill them. */
  readonly suspects: ReadonlySet<string>
  /** When the last of them was seen to have ended. */
  readonly clearedAtMs: number | null
}

export interface HoleWatch {
  /** Seen, and not yet looked after. */
  readonly young: readonly { readonly ranges: SeqRanges; readonly seenAtMs: number }[]
  readonly watched: readonly Watched[]
}

export const nothingWatched: HoleWatch = { young: [], watched: [] }

/** What is watched already stays as it is: whoever might fill it had taken its number when it was seen for the first time. */
export function holesSeen(watch: HoleWatch, ranges: SeqRanges, seenAtMs: number): HoleWatch {
  const news = [...watch.young, ...watch.watched].reduce((rest, known) => without(rest, known.ranges), ranges)
  return news.length === 0 ? watch : { ...watch, young: [...watch.young, { ranges: news, seenAtMs }] }
}

/** The holes are none any more. */
export function holesClosed(watch: HoleWatch, closed: SeqRanges): HoleWatch {
  if (closed.length === 0) return watch
  const open = <T extends { readonly ranges: SeqRanges }>(groups: readonly T[]): T[] =>
    groups
      .map(group => ({ ...group, ranges: without(group.ranges, closed) }))
      .filter(({ ranges }) => ranges.length > 0)
  return { young: open(watch.young), watched: open(watch.watched) }
}

/** There is something that a look at the open transactions would bring forward. */
export function needsLook({ young, watched }: HoleWatch, nowMs: number, graceMs: number): boolean {
  return (
    young.some(({ seenAtMs }) => nowMs - seenAtMs >= graceMs) ||
    watched.some(({ clearedAtMs }) => clearedAtMs === null)
  )
}

/**
 * A look showed which transactions that write were open.
 * @param begunAtMs before the look, so that what was seen later is not concerned
 */
export function looked(
  { young, watched }: HoleWatch,
  open: ReadonlySet<string>,
  begunAtMs: number,
  endedAtMs: number,
  graceMs: number,
): HoleWatch {
  const ripe = young.filter(({ seenAtMs }) => begunAtMs - seenAtMs >= graceMs)
  const next = watched.map(group => {
    if (group.clearedAtMs !== null) return group
    const suspects = new Set([...group.suspects].filter(each => open.has(each)))
    return { ...group, suspects, clearedAtMs: suspects.size === 0 ? endedAtMs : null }
  })
  if (ripe.length > 0) {
    const ranges = unionOf(...ripe.map(each => each.ranges))
    next.push({ ranges, suspects: open, clearedAtMs: open.size === 0 ? endedAtMs : null })
  }
  return { young: young.filter(each => !ripe.includes(each)), watched: next }
}

/** The transactions of earlier looks cannot be told from those of later ones any more: the holes that wait for any are new again. */
export function lookedInVain({ young, watched }: HoleWatch, nowMs: number): HoleWatch {
  const cleared = watched.filter(({ clearedAtMs }) => clearedAtMs !== null)
  const again = watched.filter(({ clearedAtMs }) => clearedAtMs === null)
  return {
    young: [...young, ...again.map(({ ranges }) => ({ ranges, seenAtMs: nowMs }))],
    watched: cleared,
  }
}

/** The holes that are dead unless a read that begins now finds their rows. */
export function doomedAt({ watched }: HoleWatch, nowMs: number, graceMs: number): SeqRanges {
  const doomed = watched.filter(({ clearedAtMs }) => clearedAtMs !== null && nowMs - clearedAtMs >= graceMs)
  return doomed.length === 0 ? noSeqs : unionOf(...doomed.map(({ ranges }) => ranges))
}

/** Of the doomed, those that a read looked for and did not find. */
export function deadOf(doomed: SeqRanges, found: SeqRanges, lookedFor: SeqRanges): SeqRanges {
  return overlapOf(without(doomed, found), lookedFor)
}
