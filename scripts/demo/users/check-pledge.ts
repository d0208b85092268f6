/** Whether a pattern kept what it promises, one sentence for each part of it. Pure. */
import type { LedgerReport, TracedChange } from './change-ledger.ts'
import type { Pledge } from './patterns.ts'

export type Check = { kept: boolean; sentence: string }

export type Evidence = {
  topic: string
  reader: string
  report: LedgerReport
  replica: { table: string; rows: number; differences: string[] }
}

export function checkPledge(pledge: Pledge, { topic, reader, report, replica }: Evidence): Check[] {
  const checks = [
    pledge.states === 'every' ? everyState(report, topic) : newestStates(report, topic, reader),
    check(
      `no record of ${topic} holds what nobody committed, and no user goes back in time`,
      `records of ${topic} that should not be there`,
      [...report.strange, ...report.backwards],
    ),
    late(report.changes),
    report.ghosts === 0
      ? { kept: true, sentence: `the transaction that was rolled back left no trace on ${topic}` }
      : { kept: false, sentence: `${report.ghosts} records tell of the transaction that was rolled back` },
  ]
  if (pledge.times === 'exactly once') {
    const repeated = report.changes.filter(change => change.seen > 1).map(nameOf)
    checks.push(check('no event came twice', 'events that came more than once', repeated))
  } else if (report.repeated.length > 0) {
    const sentence = `${report.repeated.length} records came more than once, which this pattern does not exclude`
    checks.push({ kept: true, sentence })
  }
  if (pledge.tombstones) {
    const deleted = report.changes.filter(({ kind }) => kind === 'UserDeleted').length
    checks.push(
      check(
        `each of the ${deleted} deletes ends in a tombstone`,
        'deleted, but the last record is no tombstone',
        report.withoutTombstone,
      ),
    )
  }
  checks.push(
    check(
      `all ${replica.rows} rows are equal in users and ${replica.table}, column by column`,
      `users and ${replica.table} differ`,
      replica.differences,
    ),
  )
  return checks
}

/** Changes that no record tells. */
export function unseen(changes: TracedChange[]): TracedChange[] {
  return changes.filter(change => change.seen === 0)
}

function everyState({ changes }: LedgerReport, topic: string): Check {
  return check(
    `each of the ${changes.length} changes is on ${topic}`,
    `not on ${topic}`,
    unseen(changes).map(nameOf),
  )
}

function newestStates({ changes }: LedgerReport, topic: string, reader: string): Check {
  const users = [...Map.groupBy(changes, change => change.id).values()]
  const newest = users.map(own => own.toSorted((a, b) => a.version - b.version).at(-1)!)
  const missing = unseen(newest).map(nameOf)
  const overwritten = unseen(changes).length - missing.length
  const byDesign =
    overwritten === 0
      ? ''
      : `; ${overwritten} older one(s) were overwritten before ${reader} looked, as this pattern has it`
  return check(
    `the newest state of each of the ${users.length} users is on ${topic}${byDesign}`,
    `newest states that are not on ${topic}`,
    missing,
  )
}

function late(changes: TracedChange[]): Check {
  const held = changes.filter(change => change.late)
  const missing = held.filter(change => change.inReplicaAt === null)
  if (missing.length > 0) {
    return {
      kept: false,
      sentence: `the transaction that committed late never reached the replica: ${missing.map(nameOf).join(', ')}`,
    }
  }
  const longest = Math.max(...held.map(change => change.inReplicaAt! - change.committedAt))
  return {
    kept: true,
    sentence: `the transaction that committed late was in the replica ${Math.round(longest)} ms after its commit`,
  }
}

function check(kept: string, broken: string, cases: string[]): Check {
  return cases.length === 0
    ? { kept: true, sentence: kept }
    : { kept: false, sentence: `${broken}: ${cases.join(', ')}` }
}

function nameOf({ label, version }: TracedChange): string {
  return `${label} version ${version}`
}
