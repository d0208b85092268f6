import type { SentRecord } from './steady-load.ts'

export type Phases = { before: number[]; during: number[]; after: number[] }

/**
 * Pure. When records of all these partitions were acknowledged again: the end of the longest time after `killedAt` in which none of a
 * partition was. Null when one of them never was.
 */
export function endOfPause(records: SentRecord[], partitions: number[], killedAt: number): number | null {
  const ends = partitions.map(partition => {
    const times = records
      .flatMap(({ acknowledged }) => (acknowledged?.partition === partition ? [acknowledged.at] : []))
      .filter(at => at >= killedAt)
      .toSorted((a, b) => a - b)
    const gaps = times.map((at, i) => ({ end: at, lengthMs: at - (times[i - 1] ?? killedAt) }))
    return gaps.toSorted((a, b) => b.lengthMs - a.lengthMs)[0]?.end ?? null
  })
  return ends.reduce<number | null>(
    (latest, end) => (latest === null || end === null ? null : Math.max(latest, end)),
    0,
  )
}

/** Pure. How long each acknowledgement took, in ms, by whether the record was under way during the pause. */
export function splitByPause(records: SentRecord[], killedAt: number, pauseEnd: number | null): Phases {
  const phases: Phases = { before: [], during: [], after: [] }
  for (const { sentAt, acknowledged } of records) {
    if (acknowledged === null) continue
    const phase = acknowledged.at < killedAt ? 'before' : sentAt < (pauseEnd ?? Infinity) ? 'during' : 'after'
    phases[phase].push(acknowledged.at - sentAt)
  }
  return phases
}
