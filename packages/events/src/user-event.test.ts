import { expect, test } from 'vitest'
import { changesTopicSpec, outboxCursorTopicSpec, outboxTopicSpec } from './topics.ts'
import { ChangeUserRequest, CreateUserRequest, UserState } from './user-event.ts'

const state: UserState = {
  id: '6f1c0f4e-3c1b-4c59-9e54-0b0f6f1a2b3c',
  name: 'Ada',
  level: 7,
  version: 1,
  created_at: '2026-11-23T12:00:00.123456Z',
  updated_at: '2026-11-23T12:00:00.123456Z',
  deleted_at: null,
}

test('a state is what was written, without what the reader does not know', () => {
  expect(UserState.parse({ ...state, __deleted: 'false' })).toEqual(state)
})

test.each([
  ['2026-11-23T12:00:00.123456Z', '2026-11-23T12:00:00.123456Z'],
  ['2026-11-23T12:00:00.12Z', '2026-11-23T12:00:00.120000Z'],
  ['2026-11-23T12:00:00Z', '2026-11-23T12:00:00.000000Z'],
])('a moment written as %s reads %s', (written, read) => {
  expect(UserState.parse({ ...state, deleted_at: written }).deleted_at).toBe(read)
})

test.each<[string, object]>([
  ['a moment of no calendar', { created_at: '2026-02-30T12:00:00Z' }],
  ['local time', { created_at: '2026-02-03T12:00:00+01:00' }],
  ['nanoseconds', { created_at: '2026-02-03T12:00:00.123456789Z' }],
  ['no seconds', { created_at: '2026-02-03T12:00Z' }],
  ['no created_at', { created_at: null }],
  ['version 0', { version: 0 }],
  ['a version that a double cannot hold', { version: 2 ** 53 }],
  ['a level of 101', { level: 101 }],
  ['an id that is no uuid', { id: '1' }],
])('a state with %s is refused', (_name, change) => {
  expect(UserState.safeParse({ ...state, ...change }).success).toBe(false)
})

test('a name that is not well-formed Unicode is refused, by the registry as by consumers', () => {
  for (const name of ['\ud83d', '\ude00']) {
    expect(CreateUserRequest.safeParse({ name, level: 1 }).success).toBe(false)
    expect(ChangeUserRequest.safeParse({ name }).success).toBe(false)
    expect(UserState.safeParse({ ...state, name }).success).toBe(false)
  }
  expect(CreateUserRequest.parse({ name: '\ud83d\ude00', level: 1 })).toEqual({ name: '😀', level: 1 })
})

test('a change holds a name, a level or both', () => {
  for (const change of [{ name: 'Ada' }, { level: 0 }, { name: 'Ada', level: 1, version: 3 }])
    expect(ChangeUserRequest.parse(change)).toEqual(change)
  expect(ChangeUserRequest.safeParse({ version: 3 }).success).toBe(false)
})

test('the topic of rows is compacted, that of events is not', () => {
  expect(changesTopicSpec('cdc.users', 3)).toEqual({
    topic: 'cdc.users',
    partitions: 3,
    replicationFactor: 3,
    configs: { 'min.insync.replicas': '2', 'cleanup.policy': 'compact' },
  })
  expect(outboxTopicSpec('user')).toEqual({
    topic: 'outbox.event.user',
    partitions: 3,
    replicationFactor: -1,
    configs: {},
  })
  expect(outboxCursorTopicSpec(4)).toMatchObject({ topic: 'outbox.cursor', partitions: 4 })
})
