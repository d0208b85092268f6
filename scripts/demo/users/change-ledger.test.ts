import { expect, test } from 'vitest'
import { createChangeLedger, type Arrival, type Change } from './change-ledger.ts'

const created: Change = {
  id: 'a',
  label: 'Ada',
  kind: 'UserCreated',
  version: 1,
  name: 'Ada',
  level: 1,
  committedAt: 100,
  late: false,
}
const renamed: Change = { ...created, kind: 'UserRenamed', version: 2, name: 'Ada B.', committedAt: 110 }
const deleted: Change = { ...renamed, kind: 'UserDeleted', version: 3, committedAt: 120 }

function recordOf({ id, version, name, level, kind }: Change): Arrival {
  const deleted_at = kind === 'UserDeleted' ? '2026-01-01T00:00:00.000000Z' : null
  return { id, is: 'state', state: { version, name, level, deleted_at } }
}
const tombstone: Arrival = { id: 'a', is: 'tombstone' }

function ledgerOf(changes: Change[], arrivals: Arrival[]) {
  const ledger = createChangeLedger()
  // Before the answer that tells of the commit, as it happens when the topic is faster.
  for (const [index, arrival] of arrivals.entries()) ledger.arrived(arrival, 200 + index)
  for (const change of changes) ledger.committed(change)
  return ledger
}

test('a change is seen when a record tells its version, whichever is told first', () => {
  const { changes, ...faults } = ledgerOf([created, renamed], [recordOf(created), recordOf(renamed)]).report()
  expect(changes).toMatchObject([
    { version: 1, seen: 1, seenAt: 200 },
    { version: 2, seen: 1, seenAt: 201 },
  ])
  expect(faults).toEqual({ repeated: [], backwards: [], strange: [], withoutTombstone: [], ghosts: 0 })
})

test('a state that was overwritten before anyone looked was never seen', () => {
  const { changes } = ledgerOf([created, renamed], [recordOf(renamed)]).report()
  expect(changes.map(change => change.seen)).toEqual([0, 1])
})

test('the replica has a change as soon as it has its version or a later one', () => {
  const ledger = ledgerOf([created, renamed, deleted], [])
  ledger.replicaHas('a', 2, 300)
  ledger.replicaHas('a', 2, 310)
  expect(ledger.report().changes.map(change => change.inReplicaAt)).toEqual([300, 300, null])
})

test('a record that comes again, and one that goes back in time', () => {
  const { repeated, backwards } = ledgerOf(
    [created, renamed],
    [recordOf(created), recordOf(created), recordOf(renamed), recordOf(created)],
  ).report()
  expect(repeated).toEqual(['Ada version 1'])
  expect(backwards).toEqual(['Ada version 1 after 2'])
})

test.each<[string, Arrival]>([
  ['a version that nobody wrote', { ...recordOf({ ...created, version: 7 }) }],
  ['another level', recordOf({ ...created, level: 2 })],
  ['another name', recordOf({ ...created, name: 'Eve' })],
  ['deleted, but it is not', recordOf({ ...created, kind: 'UserDeleted' })],
  ['no state at all', { id: 'a', is: 'unreadable', reason: 'value is not JSON' }],
])('a record with %s is strange', (_what, arrival) => {
  expect(ledgerOf([created], [arrival]).report().strange).toHaveLength(1)
})

test('a deleted user needs a tombstone, and nothing after it', () => {
  const all = [created, renamed, deleted]
  const report = (arrivals: Arrival[]) => ledgerOf(all, arrivals).report().withoutTombstone
  expect(report([recordOf(deleted), tombstone])).toEqual([])
  expect(report([recordOf(deleted)])).toEqual(['Ada'])
  expect(report([tombstone, recordOf(deleted)])).toEqual(['Ada'])
})

test('a record of a transaction that was rolled back is a ghost; of an unknown user, nobody’s business', () => {
  const ledger = createChangeLedger()
  ledger.rolledBack('a')
  ledger.arrived(recordOf(created), 200)
  ledger.arrived({ ...recordOf(created), id: 'z' }, 201)
  expect(ledger.report()).toMatchObject({ ghosts: 1, strange: [], changes: [] })
})
