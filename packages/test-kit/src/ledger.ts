/**
 * The books of a test about delivery: what was sent, what was seen, and what is wrong with the difference.
 *
 * It knows one sequence of rising numbers for each key. It cannot tell why a record is missing, and it trusts
 * the test to note as sent only what was acknowledged.
 */

export type LedgerEntry = {
  /** distinct sequence numbers noted as sent */
  sent: number
  /** distinct sequence numbers seen */
  seen: number
  /** sightings beyond the first of a sequence number */
  duplicated: number
  /** first sightings that came after the first sighting of a higher number */
  reordered: number
  /** sent and never seen */
  lost: number
  /** seen and never sent */
  unexpected: number
}

export type LedgerReport = {
  total: LedgerEntry
  keys: Map<string, LedgerEntry>
  /** one line for each thing that is wrong, with key, number and where it was seen; for the message of a failed assertion */
  faults: string[]
}

export class Ledger {
  readonly #sent = new Map<string, Set<number>>()
  readonly #sightings = new Map<string, { sequence: number; where: string }[]>()

  /** Notes that the record number `sequence` of `key` was sent. */
  sent(key: string, sequence: number): void {
    const ofKey = this.#sent.get(key)
    if (ofKey === undefined) this.#sent.set(key, new Set([sequence]))
    else ofKey.add(sequence)
  }

  /** Notes that it was seen; `where` is for the report only, e.g. "user/2/417 by instance 1". */
  seen(key: string, sequence: number, where = 'somewhere'): void {
    const ofKey = this.#sightings.get(key)
    if (ofKey === undefined) this.#sightings.set(key, [{ sequence, where }])
    else ofKey.push({ sequence, where })
  }

  report(): LedgerReport {
    const report: LedgerReport = { total: emptyEntry(), keys: new Map(), faults: [] }
    for (const key of new Set([...this.#sent.keys(), ...this.#sightings.keys()])) {
      const entry = this.#account(key, report.faults)
      report.keys.set(key, entry)
      report.total.sent += entry.sent
      report.total.seen += entry.seen
      report.total.duplicated += entry.duplicated
      report.total.reordered += entry.reordered
      report.total.lost += entry.lost
      report.total.unexpected += entry.unexpected
    }
    return report
  }

  #account(key: string, faults: string[]): LedgerEntry {
    const sent = this.#sent.get(key) ?? new Set<number>()
    const entry = { ...emptyEntry(), sent: sent.size }
    const firstSeen = new Map<number, string>()
    let highest = -Infinity
    for (const { sequence, where } of this.#sightings.get(key) ?? []) {
      const before = firstSeen.get(sequence)
      if (before !== undefined) {
        entry.duplicated++
        faults.push(`duplicated: ${key} #${sequence} at ${where}, first at ${before}`)
        continue
      }
      firstSeen.set(sequence, where)
      if (!sent.has(sequence)) {
        entry.unexpected++
        faults.push(`unexpected: ${key} #${sequence} at ${where}`)
      }
      if (sequence < highest) {
        entry.reordered++
        faults.push(`reordered: ${key} #${sequence} at ${where}, after #${highest}`)
      }
      highest = Math.max(highest, sequence)
    }
    entry.seen = firstSeen.size
    for (const sequence of sent) {
      if (firstSeen.has(sequence)) continue
      entry.lost++
      faults.push(`lost: ${key} #${sequence}`)
    }
    return entry
  }
}

function emptyEntry(): LedgerEntry {
  return { sent: 0, seen: 0, duplicated: 0, reordered: 0, lost: 0, unexpected: 0 }
}
