import { expect, test } from 'vitest'
import type { LedgerReport, TracedChange } from './change-ledger.ts'
import { checkPledge, type Evidence } from './check-pledge.ts'
import { patterns, type Pledge } from './patterns.ts'

const change: TracedChange = {
  id: 'a',
  label: 'Ada',
  kind: 'UserCreated',
  version: 1,
  name: 'Ada',
  level: 1,
  committedAt: 100,
  late: false,
  seen: 1,
  seenAt: 120,
  inReplicaAt: 130,
}
const renamed: TracedChange = { ...change, kind: 'UserRenamed', version: 2 }
const late: TracedChange = { ...change, id: 'h', label: 'Hedy', late: true }
const unseen = { seen: 0, seenAt: null }

function evidence(changes: TracedChange[], report: Partial<LedgerReport> = {}): Evidence {
  return {
    topic: 'topic',
    reader: 'reader',
    report: { changes, repeated: [], backwards: [], strange: [], withoutTombstone: [], ghosts: 0, ...report },
    replica: { table: 'users_replica', rows: 2, differences: [] },
  }
}

const broken = (pledge: Pledge, given: Evidence) =>
  checkPledge(pledge, given)
    .filter(check => !check.kept)
    .map(check => check.sentence)

const cdc = patterns.cdc!.pledge
const outbox = patterns.outbox!.pledge
const both: [string, Pledge][] = [
  ['cdc', cdc],
  ['outbox', outbox],
]

test.each(Object.entries(patterns))(
  '%s keeps its promise when all is as it should be',
  (_profile, pattern) => {
    expect(broken(pattern.pledge, evidence([change, renamed, late]))).toEqual([])
  },
)

test('a state that was overwritten unseen is by design for cdc, a loss for outbox', () => {
  const given = evidence([{ ...change, ...unseen }, renamed, late])
  expect(broken(cdc, given)).toEqual([])
  expect(checkPledge(cdc, given)[0]?.sentence).toContain('1 older one(s) were overwritten')
  expect(broken(outbox, given)).toEqual(['not on topic: Ada version 1'])
})

test.each(both)('%s must bring the newest state', (_profile, pledge) => {
  expect(broken(pledge, evidence([change, { ...renamed, ...unseen }, late]))).toHaveLength(1)
})

test('what comes twice breaks the promise of outbox only', () => {
  const given = evidence([{ ...change, seen: 2 }, late], { repeated: ['Ada version 1'] })
  expect(broken(outbox, given)).toEqual(['events that came more than once: Ada version 1'])
  expect(broken(cdc, given)).toEqual([])
})

test.each(both)(
  '%s: a missing late commit, a ghost, a strange record, a step back, a replica that differs',
  (_profile, pledge) => {
    expect(broken(pledge, evidence([change, { ...late, inReplicaAt: null }]))).toEqual([
      'the transaction that committed late never reached the replica: Hedy version 1',
    ])
    expect(broken(pledge, evidence([change, late], { ghosts: 1 }))).toHaveLength(1)
    expect(broken(pledge, evidence([change, late], { strange: ['Ada version 7'] }))).toHaveLength(1)
    expect(broken(pledge, evidence([change, late], { backwards: ['Ada version 1 after 2'] }))).toHaveLength(1)
    const replica = { table: 'users_replica', rows: 2, differences: ['a: level 1 is 2'] }
    expect(broken(pledge, { ...evidence([change, late]), replica })).toEqual([
      'users and users_replica differ: a: level 1 is 2',
    ])
  },
)

test('a delete without its tombstone breaks the promise of cdc only', () => {
  const given = evidence([change, late], { withoutTombstone: ['Ada'] })
  expect(broken(cdc, given)).toEqual(['deleted, but the last record is no tombstone: Ada'])
  expect(broken(outbox, given)).toEqual([])
})
