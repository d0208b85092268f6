/** What a request does to a user: pure decisions, taken while the user's row is locked. */
import type { ChangeUserRequest, UserEventType, UserState } from '@kafka-pattern/events'

/** `state` is the whole user as it was after the event. */
export interface UserEvent {
  readonly type: UserEventType
  readonly state: UserState
}

export type Decision =
  /** `state` is what the row becomes, the state of the last event. */
  | { kind: 'changed'; state: UserState; events: readonly UserEvent[] }
  /** The user is already as was asked: nothing happens, so there is no event. */
  | { kind: 'unchanged'; state: UserState }
  | { kind: 'unknown' }
  | { kind: 'deleted' }
  /** Somebody else was faster; `version` is the one that the user has. */
  | { kind: 'stale'; version: number }

/** The version that a caller has seen, or 'any' if the caller does not mind. */
export type ExpectedVersion = number | 'any'

/** @param now the database's clock; @param user null if there is none */
export type Decide = (user: UserState | null, now: string) => Decision

/** The first event of a user, whose row was just inserted. */
export function created(state: UserState): Decision & { kind: 'changed' } {
  return { kind: 'changed', state, events: [{ type: 'UserCreated', state }] }
}

/**
 * A new name, a new level or both. What is already so is not a change. The version goes up once for each event, so that a
 * consumer can tell the two of one request apart, and knows their order.
 */
export function change(request: Omit<ChangeUserRequest, 'version'>, expected: ExpectedVersion): Decide {
  return whenAsExpected(expected, (user, now) => {
    let state = user
    const events: UserEvent[] = []
    const step = (type: UserEventType, part: Partial<UserState>): void => {
      state = { ...state, ...part, version: state.version + 1, updated_at: now }
      events.push({ type, state })
    }
    const { name = user.name, level = user.level } = request
    if (name !== user.name) step('UserRenamed', { name })
    if (level !== user.level) step('UserLevelChanged', { level })
    return events.length === 0 ? { kind: 'unchanged', state } : { kind: 'changed', state, events }
  })
}

/** The row stays, marked: a reader of the table would never learn of a row that is gone. */
export function deletion(expected: ExpectedVersion): Decide {
  return whenAsExpected(expected, (user, now) => {
    const state = { ...user, version: user.version + 1, updated_at: now, deleted_at: now }
    return { kind: 'changed', state, events: [{ type: 'UserDeleted', state }] }
  })
}

/** Only whether there is a user. */
export function look(user: UserState | null): Decision {
  return whenAsExpected('any', state => ({ kind: 'unchanged', state }))(user, '')
}

function whenAsExpected(
  expected: ExpectedVersion,
  decide: (user: UserState, now: string) => Decision,
): Decide {
  return (user, now) => {
    if (user === null) return { kind: 'unknown' }
    if (user.deleted_at !== null) return { kind: 'deleted' }
    if (expected !== 'any' && expected !== user.version) return { kind: 'stale', version: user.version }
    return decide(user, now)
  }
}
