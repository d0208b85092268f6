import type { SentRecord } from './steady-load.ts'

export type FoundRecord = { key: string; sequence: number }

export type Judgement = {
  acknowledged: number
  /** acknowledged, and not there */
  lost: string[]
  /** first seen after a later one of their key */
  outOfOrder: string[]
  /** records that are there more than once: of a request whose answer was lost */
  twice: number
}

/** Pure. `found` in the order of each partition, what others wrote there included. */
export function judgeRecords(sent: SentRecord[], found: FoundRecord[]): Judgement {
  const seen = new Set<string>()
  const highest = new Map<string, number>()
  const ours = new Set(sent.map(({ key }) => key))
  const judgement: Judgement = { acknowledged: 0, lost: [], outOfOrder: [], twice: 0 }
  for (const record of found) {
    if (!ours.has(record.key)) continue
    const name = nameOf(record)
    if (seen.has(name)) {
      judgement.twice++
      continue
    }
    seen.add(name)
    const before = highest.get(record.key) ?? -1
    if (record.sequence < before) judgement.outOfOrder.push(name)
    highest.set(record.key, Math.max(before, record.sequence))
  }
  for (const { key, sequence, acknowledged } of sent) {
    if (acknowledged === null || key === null) continue
    judgement.acknowledged++
    if (!seen.has(nameOf({ key, sequence }))) judgement.lost.push(nameOf({ key, sequence }))
  }
  return judgement
}

function nameOf({ key, sequence }: FoundRecord): string {
  return `${key} ${sequence}`
}
