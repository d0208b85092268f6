/** What the integration tests share: a database and a topic of their own, a poller on them, and what it has published. */
import { UserState, parseRecordValue } from '@kafka-pattern/events'
import {
  createDatabase,
  createTopic,
  eventually,
  readTopic,
  startService,
  testKafka,
} from '@kafka-pattern/test-kit'
import { expect } from 'vitest'
import type { MysqlServer, RunningService, TestDatabase, TestKafka } from '@kafka-pattern/test-kit'

export interface Setting {
  readonly database: TestDatabase
  readonly topic: string
  readonly on: TestKafka
  /** Environment of a poller that follows `users` of this database. */
  readonly env: Record<string, string>
  start(env?: Record<string, string>, options?: { waitReady?: boolean }): Promise<RunningService>
}

export async function newSetting(servers: { mysql?: MysqlServer; kafka?: TestKafka } = {}): Promise<Setting> {
  const database = await createDatabase(servers.mysql && { on: servers.mysql })
  const topic = await createTopic({
    prefix: 'cdc',
    partitions: 3,
    configs: { 'cleanup.policy': 'compact', 'min.insync.replicas': '1' },
    ...(servers.kafka && { on: servers.kafka }),
  })
  const on = servers.kafka ?? testKafka()
  const env = {
    ...database.env('cdc-poller'),
    KAFKA_BROKERS: on.brokers.join(','),
    KAFKA_TOPIC: topic,
    POLL_INTERVAL_MS: '50',
  }
  const start: Setting['start'] = (more = {}, options) =>
    startService('cdc-poller', { ...env, ...more }, options)
  return { database, topic, on, env, start }
}

export interface Published {
  /** Records with a state, in the order of each partition. */
  readonly states: readonly UserState[]
  /** Of the last record of each key: its version, or null for a tombstone. */
  readonly last: ReadonlyMap<string, number | null>
  /** States that a later version of the same row precedes. */
  readonly turnedRound: readonly string[]
  /** Records that repeat a state which was published before. */
  readonly duplicates: number
}

export async function publishedOn({ topic, on }: Pick<Setting, 'topic' | 'on'>): Promise<Published> {
  const states: UserState[] = []
  const last = new Map<string, number | null>()
  const newest = new Map<string, number>()
  const turnedRound: string[] = []
  const seen = new Set<string>()
  for (const { key, value } of await readTopic(topic, { on })) {
    const id = String(key)
    if (value === null) {
      last.set(id, null)
      continue
    }
    const parsed = parseRecordValue(UserState, value)
    if (!parsed.ok) throw new Error(parsed.reason)
    const { version } = parsed.value
    states.push(parsed.value)
    seen.add(`${id} ${version}`)
    last.set(id, version)
    if (version < (newest.get(id) ?? 0)) turnedRound.push(`${id} ${version}`)
    newest.set(id, Math.max(version, newest.get(id) ?? 0))
  }
  return { states, last, turnedRound, duplicates: states.length - seen.size }
}

/** Waits until the last state of every row has been published; tells what was. */
export async function allPublished(setting: Setting, timeoutMs = 60_000): Promise<Published> {
  const rows = await setting.database.root.rows<{ id: string; version: string; deleted: number }>(
    'SELECT id, version, deleted_at IS NOT NULL AS deleted FROM users',
  )
  return eventually(
    async () => {
      const published = await publishedOn(setting)
      const lost = rows.filter(({ id, version, deleted }) => {
        const found = published.last.get(id)
        return deleted === 1 ? found !== null : found !== Number(version)
      })
      expect(lost.map(({ id, version }) => `${id} ${version}`).slice(0, 10)).toEqual([])
      return published
    },
    { what: `the last state of all ${rows.length} rows`, timeoutMs },
  )
}

/** Rows `<prefix>-0`… as multi-row values for `INSERT INTO users (id, name, level, version) VALUES ?`. */
export function newUsers(count: number, version = 1): [string, string, number, number][] {
  return Array.from({ length: count }, () => [crypto.randomUUID(), 'Ada', 1, version])
}

export const insertUsers = 'INSERT INTO users (id, name, level, version) VALUES ?'
