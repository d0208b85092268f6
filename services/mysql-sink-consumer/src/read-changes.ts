import { UserState, parseRecordValue } from '@kafka-pattern/events'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/** A record whose value is the state of a user. */
export interface StateRecord {
  readonly record: KafkaRecord
  readonly state: UserState
}

/** A record without a value: the row of this key is gone. */
export interface Tombstone {
  readonly id: string
  /** When it was written, in ms since 1970. */
  readonly timestampMs: number
}

export interface UnreadableRecord {
  readonly record: KafkaRecord
  readonly error: UnreadableRecordError
}

/** No replica can be made of this record: not JSON, not a user's state, or the state of another user than its key says. */
export class UnreadableRecordError extends Error {
  override readonly name = 'UnreadableRecordError'
}

/** What the records of a batch say, in their order. */
export interface ReadRecords {
  readonly states: readonly StateRecord[]
  readonly tombstones: readonly Tombstone[]
  readonly unreadable: readonly UnreadableRecord[]
}

export function readRecords(records: readonly KafkaRecord[]): ReadRecords {
  const states: StateRecord[] = []
  const tombstones: Tombstone[] = []
  const unreadable: UnreadableRecord[] = []
  for (const record of records) {
    const key = record.key?.toString('utf8')
    const refuse = (reason: string) => unreadable.push({ record, error: new UnreadableRecordError(reason) })
    if (key === undefined) {
      refuse('the record has no key')
    } else if (record.value === null) {
      if (UserState.shape.id.safeParse(key).success) {
        tombstones.push({ id: key, timestampMs: Number(record.timestamp) })
      } else {
        refuse('a tombstone whose key is not the id of a user')
      }
    } else {
      const parsed = parseRecordValue(UserState, record.value)
      if (!parsed.ok) refuse(parsed.reason)
      else if (parsed.value.id !== key) refuse(`the key is not the id of the value, ${parsed.value.id}`)
      else states.push({ record, state: parsed.value })
    }
  }
  return { states, tombstones, unreadable }
}

/** What is left to write of a batch: one row a key at most. */
export interface Changes {
  /** The newest state of each user that is alive in it, sorted by id. */
  readonly alive: readonly StateRecord[]
  /** The last state of each user that is deleted in it, sorted by id. */
  readonly deleted: readonly StateRecord[]
  /** Those that no state in this batch explains. */
  readonly tombstones: readonly Tombstone[]
  /** States that a newer one in the same batch makes superfluous. */
  readonly superseded: number
}

/**
 * Keeps the newest version of each key. Sorted, because a B-tree takes sorted rows several times faster than scattered ones, and two
 * transactions that lock rows in the same order do not deadlock.
 */
export function newestChanges(states: readonly StateRecord[], tombstones: readonly Tombstone[]): Changes {
  const newest = new Map<string, StateRecord>()
  for (const each of states) {
    const known = newest.get(each.state.id)
    if (known === undefined || each.state.version > known.state.version) newest.set(each.state.id, each)
  }
  const sorted = [...newest.values()].toSorted((a, b) => (a.state.id < b.state.id ? -1 : 1))
  const isDeleted = ({ state }: StateRecord) => state.deleted_at !== null
  const isExplained = (id: string) => {
    const state = newest.get(id)
    return state !== undefined && isDeleted(state)
  }
  return {
    alive: sorted.filter(each => !isDeleted(each)),
    deleted: sorted.filter(isDeleted),
    tombstones: tombstones.filter(({ id }) => !isExplained(id)),
    superseded: states.length - sorted.length,
  }
}
