/** Sets of sequence numbers as ranges. Pure. */

/** Both ends belong to it. */
export interface SeqRange {
  readonly from: number
  readonly to: number
}

/** Ascending, and neither overlapping nor touching each other. */
export type SeqRanges = readonly SeqRange[]

export const noSeqs: SeqRanges = []

export function includesSeq(ranges: SeqRanges, seq: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle]!
    if (seq < range.from) high = middle - 1
    else if (seq > range.to) low = middle + 1
    else return true
  }
  return false
}

/** Everything that is in any of them, whatever their order. */
export function unionOf(...sets: SeqRanges[]): SeqRanges {
  const sorted = sets.flat().toSorted((a, b) => a.from - b.from)
  const union: { from: number; to: number }[] = []
  for (const { from, to } of sorted) {
    const last = union.at(-1)
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to)
    else union.push({ from, to })
  }
  return union
}

/** What is in the first and not in the second. */
export function without(ranges: SeqRanges, removed: SeqRanges): SeqRanges {
  if (removed.length === 0 || ranges.length === 0) return ranges
  const rest: SeqRange[] = []
  let next = 0
  for (const range of ranges) {
    let { from } = range
    while (next < removed.length && removed[next]!.to < from) next++
    for (let i = next; i < removed.length && removed[i]!.from <= range.to; i++) {
      if (removed[i]!.from > from) rest.push({ from, to: removed[i]!.from - 1 })
      from = removed[i]!.to + 1
    }
    if (from <= range.to) rest.push({ from, to: range.to })
  }
  return rest
}

/** What is in both. */
export function overlapOf(a: SeqRanges, b: SeqRanges): SeqRanges {
  return without(a, without(a, b))
}

/** Ascending numbers as ranges. */
export function rangesOf(seqs: readonly number[]): SeqRanges {
  const ranges: { from: number; to: number }[] = []
  for (const seq of seqs) {
    const last = ranges.at(-1)
    if (last !== undefined && seq === last.to + 1) last.to = seq
    else ranges.push({ from: seq, to: seq })
  }
  return ranges
}

export function countOf(ranges: SeqRanges): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0)
}

/** What is not above the limit. */
export function upTo(ranges: SeqRanges, limit: number): SeqRanges {
  return ranges.filter(({ from }) => from <= limit).map(({ from, to }) => ({ from, to: Math.min(to, limit) }))
}
