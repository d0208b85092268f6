/** What the integration tests share: a database and a topic of their own, a poller on them, and what it has published. */
import { UserState, parseRecordValue } from '@kafka-pattern/events'
import {
  createDatabase,
  createTopic,
  eventually,
  partitionEnds,
  startService,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished } from 'vitest'
import type { MysqlServer, RunningService, TestDatabase, TestKafka } from '@kafka-pattern/test-kit'

export interface Setting {
  readonly database: TestDatabase
  readonly topic: string
  readonly on: TestKafka
  /** A poller that follows `users` of this database. */
  start(env?: Record<string, string>, options?: { waitReady?: boolean }): Promise<RunningService>
  /** All that the topic holds now. */
  published(): Promise<Published>
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

export async function newSetting(servers: { mysql?: MysqlServer; kafka?: TestKafka } = {}): Promise<Setting> {
  const database = await createDatabase(servers.mysql && { on: servers.mysql })
  const on = servers.kafka ?? testKafka()
  const topic = await createTopic({
    prefix: 'cdc',
    partitions: 3,
    configs: { 'cleanup.policy': 'compact', 'min.insync.replicas': '1' },
    ...(servers.kafka && { on }),
  })
  const env = {
    ...database.env('cdc-poller'),
    KAFKA_BROKERS: on.brokers.join(','),
    KAFKA_TOPIC: topic,
    POLL_INTERVAL_MS: '50',
    // Half of it is for Kafka to answer: where that takes longer, records are sent, and stored, a second time.
    LEASE_MS: '60000',
  }
  let follower: Promise<() => Promise<Published>> | null = null
  return {
    database,
    topic,
    on,
    start: (more = {}, options) => startService('cdc-poller', { ...env, ...more }, options),
    async published() {
      follower ??= followTopic(topic, on)
      return (await follower)()
    },
  }
}

/** Kills a poller and frees its lease, so that the next one need not wait until that has run out. */
export async function killAndFreeLease(poller: RunningService, { database }: Setting): Promise<void> {
  await poller.kill()
  await database.root.write('UPDATE poller_cursors SET owner = NULL')
}

/** One consumer for the whole test: to read everything anew for every look would take longer than what is tested. */
async function followTopic(topic: string, on: TestKafka): Promise<() => Promise<Published>> {
  const states: UserState[] = []
  const last = new Map<string, number | null>()
  const newest = new Map<string, number>()
  const turnedRound: string[] = []
  const seen = new Set<string>()
  const next = new Map<number, bigint>()

  function note(id: string, value: Buffer | null): void {
    if (value === null) {
      last.set(id, null)
      return
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

  const consumer = on.kafka.consumer({ groupId: uniqueName('cdc-reader'), maxWaitTimeInMs: 50 })
  await consumer.connect()
  onTestFinished(() => consumer.disconnect())
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      // A consumer that had to join its group again begins anew.
      const from = next.get(batch.partition) ?? 0n
      for (const { key, value, offset } of batch.messages)
        if (BigInt(offset) >= from) note(String(key), value)
      const end = BigInt(batch.lastOffset()) + 1n
      if (end > from) next.set(batch.partition, end)
    },
  })
  return async () => {
    const ends = await partitionEnds(topic, on)
    await eventually(
      () => {
        for (const { partition, high } of ends) {
          expect(next.get(partition) ?? 0n, `partition ${partition}`).toBeGreaterThanOrEqual(BigInt(high))
        }
      },
      { what: `everything on ${topic} to be read` },
    )
    return { states, last, turnedRound, duplicates: states.length - seen.size }
  }
}

/** Waits until the last state of every row has been published; tells what was. */
export async function allPublished(setting: Setting, timeoutMs = 60_000): Promise<Published> {
  const rows = await setting.database.root.rows<{ id: string; version: string; deleted: unknown }>(
    'SELECT id, version, deleted_at IS NOT NULL AS deleted FROM users',
  )
  return eventually(
    async () => {
      const published = await setting.published()
      const lost = rows.filter(({ id, version, deleted }) => {
        const found = published.last.get(id)
        return Number(deleted) === 1 ? found !== null : found !== Number(version)
      })
      expect(lost.slice(0, 10)).toEqual([])
      return published
    },
    { what: `the last state of all ${rows.length} rows`, timeoutMs },
  )
}

/** Values for `insertUsers`, each with an id of its own. */
export function newUsers(count: number): [id: string, name: string, level: number, version: number][] {
  return Array.from({ length: count }, () => [crypto.randomUUID(), 'Ada', 1, 1])
}

export const insertUsers = 'INSERT INTO users (id, name, level, version) VALUES ?'
