import { describe, expect, test } from 'vitest'
import { change, created, deletion, look, type Decide } from './user-change.ts'
import type { UserState } from '@kafka-pattern/events'

const ada: UserState = {
  id: '6f1c0f4e-3c1b-4c59-9e54-0b0f6f1a2b3c',
  name: 'Ada',
  level: 1,
  version: 4,
  created_at: '2026-11-23T12:00:00.000001Z',
  updated_at: '2026-11-23T12:00:01.000001Z',
  deleted_at: null,
}
const now = '2026-11-23T12:00:02.000001Z'
const renamed = { ...ada, name: 'Bea', version: 5, updated_at: now }

test('a new user is one event', () => {
  expect(created(ada)).toEqual({ kind: 'changed', state: ada, events: [{ type: 'UserCreated', state: ada }] })
})

describe('a change is an event for each thing that is not so already', () => {
  test('the name', () => {
    expect(change({ name: 'Bea' }, 4)(ada, now)).toEqual({
      kind: 'changed',
      state: renamed,
      events: [{ type: 'UserRenamed', state: renamed }],
    })
  })

  test('the level, though the name was sent, too', () => {
    const raised = { ...ada, level: 9, version: 5, updated_at: now }
    expect(change({ name: 'Ada', level: 9 }, 4)(ada, now)).toEqual({
      kind: 'changed',
      state: raised,
      events: [{ type: 'UserLevelChanged', state: raised }],
    })
  })

  test('both: two versions, the first with the new name and the old level', () => {
    const both = { ...renamed, level: 9, version: 6 }
    expect(change({ name: 'Bea', level: 9 }, 4)(ada, now)).toEqual({
      kind: 'changed',
      state: both,
      events: [
        { type: 'UserRenamed', state: renamed },
        { type: 'UserLevelChanged', state: both },
      ],
    })
  })

  test('nothing', () => {
    expect(change({ name: 'Ada', level: 1 }, 4)(ada, now)).toEqual({ kind: 'unchanged', state: ada })
  })
})

test('a deletion is the last state, marked', () => {
  const state = { ...ada, version: 5, updated_at: now, deleted_at: now }
  const expected = { kind: 'changed', state, events: [{ type: 'UserDeleted', state }] }
  expect(deletion(4)(ada, now)).toEqual(expected)
  expect(deletion('any')(ada, now)).toEqual(expected)
})

describe.each<[string, Decide]>([
  ['a change', change({ level: 9 }, 3)],
  ['a deletion', deletion(3)],
])('%s', (_what, decide) => {
  test('from an older version is refused, with the one that the user has', () => {
    expect(decide(ada, now)).toEqual({ kind: 'stale', version: 4 })
  })

  test('of nobody, or of a deleted user, is told apart', () => {
    expect(decide(null, '')).toEqual({ kind: 'unknown' })
    expect(decide({ ...ada, deleted_at: now }, now)).toEqual({ kind: 'deleted' })
  })
})

test('a look shows a user, unless there is none or no longer', () => {
  expect(look(ada)).toEqual({ kind: 'unchanged', state: ada })
  expect(look(null)).toEqual({ kind: 'unknown' })
  expect(look({ ...ada, deleted_at: now })).toEqual({ kind: 'deleted' })
})
