/** Users, their histories and the replica they should give, for tests. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isoFromDatetime } from '@kafka-pattern/mysql-config'
import {
  createDatabase,
  createTopic,
  eventually,
  partitionEnds,
  produce,
  startService,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { expect } from 'vitest'
import type { UserState } from '@kafka-pattern/events'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { LogLine, RunningService, TestDatabase, TestRecord } from '@kafka-pattern/test-kit'

/** Version `version` of a user; its moments grow with it. */
export function stateOf(id: string, version: number, change: Partial<UserState> = {}): UserState {
  return {
    id,
    name: `${id.slice(0, 8)} v${version}`,
    level: version % 100,
    version,
    created_at: '2026-11-23T12:00:00.000001Z',
    updated_at: momentOf(version),
    deleted_at: null,
    ...change,
  }
}

export function deletedState(id: string, version: number): UserState {
  return stateOf(id, version, { deleted_at: momentOf(version) })
}

/** The later, the higher the version; to the microsecond. */
export function momentOf(version: number): string {
  return new Date(Date.UTC(2026, 10, 23, 12) + version).toISOString().replace('Z', '456Z')
}

export function recordOf(topic: string, state: UserState, partition?: number): TestRecord {
  return {
    topic,
    key: state.id,
    value: JSON.stringify(state),
    headers: { 'correlation-id': `of-${state.id}-${state.version}` },
    ...(partition !== undefined && { partition }),
  }
}

export function tombstoneOf(topic: string, id: string, timestamp?: number): TestRecord {
  return { topic, key: id, value: null, ...(timestamp !== undefined && { timestamp }) }
}

/** The rows of a replica by id, as states. */
export async function readReplica(mysql: Mysql, table = 'users_replica'): Promise<UserState[]> {
  const rows = await mysql.rows<Record<keyof UserState, string | null>>(`SELECT * FROM ${table} ORDER BY id`)
  return rows.map(row => ({
    id: String(row.id),
    name: String(row.name),
    level: Number(row.level),
    version: Number(row.version),
    created_at: isoFromDatetime(String(row.created_at)),
    updated_at: isoFromDatetime(String(row.updated_at)),
    deleted_at: row.deleted_at === null ? null : isoFromDatetime(row.deleted_at),
  }))
}

/** The newest of the states of each user, by id: what a replica of them must be. */
export function newestOf(states: readonly UserState[]): UserState[] {
  const newest = new Map<string, UserState>()
  for (const state of states) {
    if ((newest.get(state.id)?.version ?? 0) < state.version) newest.set(state.id, state)
  }
  return [...newest.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** `users` users with `versions` states each, interleaved as they would come; every tenth one is deleted in the end. */
export function histories(users: number, versions: number): UserState[] {
  const ids = Array.from({ length: users }, () => randomUUID())
  return Array.from({ length: versions }, (_, index) => index + 1).flatMap(version =>
    ids.map((id, index) =>
      version === versions && index % 10 === 0 ? deletedState(id, version) : stateOf(id, version),
    ),
  )
}

/** For a test in which a session must end: the least that brokers allow. Elsewhere a busy machine must not end one. */
export const shortSession = { KAFKA_SESSION_TIMEOUT_MS: '6000' }

export interface Stage {
  readonly topic: string
  readonly group: string
  readonly database: TestDatabase
  /** Starts a sink of this stage. */
  start(env?: Record<string, string>, options?: { waitReady?: boolean }): Promise<RunningService>
  replica(): Promise<UserState[]>
  /** `partition: next_offset` of consumer_offsets. */
  offsets(): Promise<Record<number, string>>
}

/** A topic, a group and a database of a test's own. */
export async function setStage({
  partitions = 1,
  configs = {},
  database,
}: {
  partitions?: number
  configs?: Record<string, string>
  database?: TestDatabase
} = {}): Promise<Stage> {
  const topic = await createTopic({ prefix: 'sink', partitions, configs })
  const group = uniqueName('sink-group')
  const own = database ?? (await createDatabase())
  return {
    topic,
    group,
    database: own,
    start: (env = {}, options = {}) =>
      startService(
        'mysql-sink-consumer',
        {
          ...own.env('mysql-sink-consumer'),
          KAFKA_TOPICS: topic,
          KAFKA_CONSUMER_GROUP: group,
          TOPIC_PARTITIONS: String(partitions),
          ...env,
        },
        options,
      ),
    replica: () => readReplica(own.root),
    async offsets() {
      const rows = await own.root.rows<{ partition_id: unknown; next_offset: unknown }>(
        'SELECT partition_id, next_offset FROM consumer_offsets WHERE group_id = ?',
        [group],
      )
      return Object.fromEntries(rows.map(row => [Number(row.partition_id), String(row.next_offset)]))
    },
  }
}

/** The lines of the log that say that a batch was applied. */
export function appliedBatches(service: RunningService): AppliedLine[] {
  return service.logLines.filter(isApplied)
}

export type AppliedLine = LogLine & {
  partition: number
  records: number
  firstOffset: string
  nextOffset: string
  upserted: number
  deleted: number
  stale: number
  superseded: number
  tombstones: number
}

function isApplied(line: LogLine): line is AppliedLine {
  return line.msg === 'batch applied'
}

/**
 * Which offsets were applied more than once, or out of order, by several sinks or several lives of one, as their logs tell it. The
 * rows would not show it: a state that is written again changes nothing.
 */
export function repeatedOffsets(services: readonly RunningService[]): string[] {
  const ranges = services.flatMap(service =>
    appliedBatches(service).map(({ partition, firstOffset, nextOffset }) => ({
      partition,
      first: Number(firstOffset),
      next: Number(nextOffset),
      by: service.pid,
    })),
  )
  const sorted = ranges.toSorted((a, b) => a.partition - b.partition || a.first - b.first)
  return sorted.flatMap((range, index) => {
    const before = sorted[index - 1]
    return before !== undefined && before.partition === range.partition && before.next > range.first
      ? [
          `${range.partition}: ${before.first}-${before.next} by ${before.by}, ${range.first}-${range.next} by ${range.by}`,
        ]
      : []
  })
}

/** The next offset that the group has committed, by partition; '-1' where it has none. */
export async function committedOffsets({ group, topic }: Stage): Promise<Record<number, string>> {
  const [found] = await withAdmin(testKafka(), admin =>
    admin.fetchOffsets({ groupId: group, topics: [topic] }),
  )
  return Object.fromEntries(found?.partitions.map(each => [each.partition, each.offset]) ?? [])
}

/** The ends of the topic's partitions. */
export async function endOffsets({ topic }: Stage): Promise<Record<number, string>> {
  const ends = await partitionEnds(topic)
  return Object.fromEntries(ends.map(({ partition, high }) => [partition, high]))
}

/** Resolves when all of the topic is applied. */
export async function untilApplied(stage: Stage, timeoutMs = 60_000): Promise<void> {
  const ends = await endOffsets(stage)
  await eventually(async () => expect(await stage.offsets()).toEqual(ends), {
    what: 'everything to be applied',
    timeoutMs,
  })
}

/** The lines of the log that say that a record was given up. */
export function deadLettered(services: readonly RunningService[]): LogLine[] {
  return services.flatMap(service => service.logLines.filter(line => line.msg === 'record dead-lettered'))
}

/** Sends states in pieces: a batch of the producer that is larger than the topic's max.message.bytes is refused. */
export async function produceStates(topic: string, states: readonly UserState[]): Promise<void> {
  for (let from = 0; from < states.length; from += 2_000) {
    await produce(states.slice(from, from + 2_000).map(state => recordOf(topic, state)))
  }
}

/** Resolves when an upsert of the sink waits for a lock, on the replica or on a row of it. */
export async function untilUpsertWaits({ database }: Stage): Promise<void> {
  await eventually(
    async () => {
      // Asked more often, innodb_trx shows an old picture.
      await sleep(200)
      const waiting = await database.root.rows(
        `SELECT p.id FROM information_schema.processlist p
         LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id
         WHERE p.db = ? AND p.info LIKE 'INSERT INTO users_replica (id%'
           AND (p.state LIKE 'Waiting for table%' OR t.trx_state = 'LOCK WAIT')`,
        [database.name],
      )
      expect(waiting.length).toBeGreaterThan(0)
    },
    { what: 'the sink to wait for a lock' },
  )
}
