/**
 * What was written, what came to the topic, when it was in the replica: pure bookkeeping, in whatever order it is told. Times are
 * ms on one clock of the caller's.
 */
import { parseRecordValue, UserState, type UserEventType } from '@kafka-pattern/events'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/** A change that was committed. */
export type Change = {
  id: string
  /** the user's name in the demo's output; the name in the row changes */
  label: string
  kind: UserEventType
  version: number
  name: string
  level: number
  committedAt: number
  /** its transaction stayed open long after its statement */
  late: boolean
}

/** A record of the topic: the state of a user, the tombstone of a deleted one, or something that is neither. */
export type Arrival = { id: string } & (
  | { is: 'state'; state: Pick<UserState, 'version' | 'name' | 'level' | 'deleted_at'> }
  | { is: 'tombstone' }
  | { is: 'unreadable'; reason: string }
)

export function arrivalOf({ key, value }: KafkaRecord): Arrival {
  const id = key?.toString() ?? ''
  if (value === null) return { id, is: 'tombstone' }
  const parsed = parseRecordValue(UserState, value)
  return parsed.ok
    ? { id, is: 'state', state: parsed.value }
    : { id, is: 'unreadable', reason: parsed.reason }
}

export type TracedChange = Change & {
  /** how many records told it */
  seen: number
  seenAt: number | null
  inReplicaAt: number | null
}

export type LedgerReport = {
  changes: TracedChange[]
  /** records that tell of a version that was told before */
  repeated: string[]
  /** records that tell of an older version than the one before */
  backwards: string[]
  /** records that cannot be read, or whose state nobody committed */
  strange: string[]
  /** of the deleted users, those whose last record is no tombstone */
  withoutTombstone: string[]
  /** records about users whose transaction was rolled back */
  ghosts: number
}

export type ChangeLedger = {
  committed(change: Change): void
  rolledBack(id: string): void
  /** Records of users that the demo knows nothing of are others' and ignored. */
  arrived(arrival: Arrival, atMs: number): void
  replicaHas(id: string, version: number, atMs: number): void
  report(): LedgerReport
}

export function createChangeLedger(): ChangeLedger {
  const changes: Change[] = []
  const ghosts = new Set<string>()
  // Kept whole: a record may come before the answer that tells what was committed.
  const arrivals = new Map<string, { arrival: Arrival; atMs: number }[]>()
  const replica = new Map<string, { version: number; atMs: number }[]>()

  return {
    committed(change) {
      changes.push(change)
    },
    rolledBack(id) {
      ghosts.add(id)
    },
    arrived(arrival, atMs) {
      arrivals.set(arrival.id, [...(arrivals.get(arrival.id) ?? []), { arrival, atMs }])
    },
    replicaHas(id, version, atMs) {
      const known = replica.get(id) ?? []
      if ((known.at(-1)?.version ?? 0) < version) replica.set(id, [...known, { version, atMs }])
    },

    report() {
      const report: LedgerReport = {
        changes: [],
        repeated: [],
        backwards: [],
        strange: [],
        withoutTombstone: [],
        ghosts: [...ghosts].reduce((sum, id) => sum + (arrivals.get(id)?.length ?? 0), 0),
      }
      for (const [id, own] of Map.groupBy(changes, change => change.id)) {
        const { label } = own[0]!
        const told = arrivals.get(id) ?? []
        let newest = 0
        for (const { arrival } of told) {
          if (arrival.is === 'unreadable') report.strange.push(`${label}: ${arrival.reason}`)
          if (arrival.is !== 'state') continue
          const { version } = arrival.state
          const name = `${label} version ${version}`
          const written = own.find(change => change.version === version)
          if (written === undefined || !isSameState(arrival.state, written)) report.strange.push(name)
          if (version < newest) report.backwards.push(`${name} after ${newest}`)
          if (version === newest) report.repeated.push(name)
          newest = Math.max(newest, version)
        }
        const isDeleted = own.some(change => change.kind === 'UserDeleted')
        if (isDeleted && told.at(-1)?.arrival.is !== 'tombstone') report.withoutTombstone.push(label)
        for (const change of own) {
          const records = told.filter(
            ({ arrival }) => arrival.is === 'state' && arrival.state.version === change.version,
          )
          // The replica has a change as soon as it has this version or a later one.
          const reached = replica.get(id)?.find(({ version }) => version >= change.version)
          report.changes.push({
            ...change,
            seen: records.length,
            seenAt: records[0]?.atMs ?? null,
            inReplicaAt: reached?.atMs ?? null,
          })
        }
      }
      return report
    },
  }
}

function isSameState(
  state: Pick<UserState, 'version' | 'name' | 'level' | 'deleted_at'>,
  change: Change,
): boolean {
  return (
    state.name === change.name &&
    state.level === change.level &&
    (state.deleted_at !== null) === (change.kind === 'UserDeleted')
  )
}
