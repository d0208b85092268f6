import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { newestChanges, readRecords } from './read-changes.ts'
import type { UserState } from '@kafka-pattern/events'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

const idOf = (letter: string) => `${letter.repeat(8)}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`
const a = idOf('a')
const b = idOf('b')
const c = idOf('c')

function state(id: string, version: number, deleted = false): UserState {
  const moment = `2026-11-23T12:00:00.00000${version}Z`
  return {
    id,
    name: 'Ada',
    level: 1,
    version,
    created_at: moment,
    updated_at: moment,
    deleted_at: deleted ? moment : null,
  }
}

function record(key: string | null, value: unknown): KafkaRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    timestamp: '1000',
    attributes: 0,
    offset: '0',
    headers: {},
  }
}

const records = (states: UserState[]) => states.map(each => ({ record: record(each.id, each), state: each }))

describe('reading', () => {
  test('tells states, tombstones and what is neither apart', () => {
    const read = readRecords([record(a, state(a, 1)), record(a, null), record(b, '{')])
    expect(read.states.map(each => each.state)).toEqual([state(a, 1)])
    expect(read.tombstones).toEqual([{ id: a, timestampMs: 1_000 }])
    expect(read.unreadable).toHaveLength(1)
  })

  test.each<[string, KafkaRecord, RegExp]>([
    ['not JSON', record(a, '{'), /^value is not JSON/],
    ['not a state', record(a, { id: a }), /^value is not of the schema: name/],
    ['of another user', record(b, state(a, 1)), /^the key is not the id/],
    ['of nobody', record(null, state(a, 1)), /^the record has no key/],
    ['a tombstone of nobody', record(null, null), /^the record has no key/],
    ['a tombstone of something else', record('x', null), /^a tombstone whose key/],
  ])('says why not: %s', (_name, each, reason) => {
    const { unreadable, states, tombstones } = readRecords([each])
    expect(unreadable[0]?.error.message).toMatch(reason)
    expect([states, tombstones]).toEqual([[], []])
  })
})

describe('what is left to write', () => {
  const table: {
    states: UserState[]
    tombstones?: string[]
    alive: UserState[]
    deleted?: UserState[]
    buried?: string[]
    superseded?: number
  }[] = [
    { states: [], alive: [] },
    { states: [state(a, 1), state(a, 2)], alive: [state(a, 2)], superseded: 1 },
    { states: [state(a, 2), state(a, 1)], alive: [state(a, 2)], superseded: 1 },
    { states: [state(c, 1), state(a, 1), state(b, 1)], alive: [state(a, 1), state(b, 1), state(c, 1)] },
    { states: [state(a, 1), state(a, 2, true)], alive: [], deleted: [state(a, 2, true)], superseded: 1 },
    { states: [state(a, 2, true), state(a, 1)], alive: [], deleted: [state(a, 2, true)], superseded: 1 },
    // A tombstone after the last state says nothing new; alone, or after an older state, it does.
    { states: [state(a, 2, true)], tombstones: [a], alive: [], deleted: [state(a, 2, true)] },
    { states: [state(a, 1)], tombstones: [a], alive: [state(a, 1)], buried: [a] },
    { states: [], tombstones: [a, b], alive: [], buried: [a, b] },
  ]

  test.each(table)('%#', ({ states, tombstones = [], alive, deleted = [], buried = [], superseded = 0 }) => {
    const gone = tombstones.map(id => ({ id, timestampMs: 0 }))
    const changes = newestChanges(records(states), gone)
    expect(changes.alive.map(each => each.state)).toEqual(alive)
    expect(changes.deleted.map(each => each.state)).toEqual(deleted)
    expect(changes.tombstones.map(({ id }) => id)).toEqual(buried)
    expect(changes.superseded).toBe(superseded)
  })

  test('the first of two states with one version is kept', () => {
    const first = state(a, 1)
    const second = { ...state(a, 1), name: 'Bob' }
    expect(newestChanges(records([first, second]), []).alive[0]?.state).toBe(first)
  })

  test('thousands of users keep their newest version each, whatever the order', () => {
    const ids = Array.from({ length: 2_000 }, () => randomUUID())
    const states = ids.flatMap(id => [3, 1, 2].map(version => state(id, version)))
    const { alive, superseded } = newestChanges(records(states), [])
    expect(alive.map(each => each.state.id)).toEqual(ids.toSorted())
    expect(alive.every(each => each.state.version === 3)).toBe(true)
    expect(superseded).toBe(4_000)
  })
})
