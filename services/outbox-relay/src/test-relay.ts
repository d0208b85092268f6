/** An outbox of a test's own, with writers that know what must come out of it, and relays that publish it. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  createDatabase,
  deleteTopic,
  readTopic,
  startService,
  uniqueName,
  testKafka,
} from '@kafka-pattern/test-kit'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import type { Queryable } from '@kafka-pattern/mysql-config'
import type {
  MysqlServer,
  ReadTopicOptions,
  RunningService,
  TestDatabase,
  TestKafka,
} from '@kafka-pattern/test-kit'

/** For a test that waits until a hole is forgotten. Elsewhere a server's thread may be held up for as long as in production. */
export const shortGrace = { HOLE_GRACE_MS: '300' }

export interface TestOutbox {
  readonly database: TestDatabase
  /** The aggregate type that nobody else uses, and its topic. */
  readonly type: string
  readonly topic: string
  /** What relays of this outbox are started with. */
  readonly env: Record<string, string>
  startRelay(env?: Record<string, string>, options?: { waitReady?: boolean }): Promise<RunningService>
}

export async function createOutbox(
  options: { on?: MysqlServer; kafka?: TestKafka; via?: string } = {},
): Promise<TestOutbox> {
  const database = await createDatabase(options.on === undefined ? {} : { on: options.on })
  const type = uniqueName('type')
  const topic = `outbox.event.${type}`
  const name = uniqueName('relay')
  const kafka = options.kafka ?? testKafka()
  const env = {
    ...database.env('outbox-relay'),
    KAFKA_BROKERS: options.via ?? kafka.brokers.join(','),
    RELAY_NAME: name,
    KAFKA_CURSOR_TOPIC: `${name}.cursor`,
    RELAY_LANES: '4',
    // Longer than a round of renewals takes on a slow disk, or relays side by side would take the lanes from each other for ever.
    LEASE_MS: '5000',
  }
  if (options.kafka === undefined) {
    for (const each of [topic, env.KAFKA_CURSOR_TOPIC]) onTestFinished(() => deleteTopic(kafka, each))
  }
  return {
    database,
    type,
    topic,
    env,
    startRelay: (more = {}, startOptions = {}) =>
      startService('outbox-relay', { ...env, ...more }, startOptions),
  }
}

const Body = z.object({ version: z.number() })

export interface EventRow {
  aggregateid: string
  /** The body of the event: `{"version": 1}`. */
  version: number
  aggregatetype?: string
  payload?: string
  correlationId?: string
}

/** Inserts events with one statement. */
export async function insertEvents(
  connection: Queryable,
  type: string,
  events: readonly EventRow[],
): Promise<void> {
  await connection.write(
    'INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES ?',
    [
      events.map(event => [
        crypto.randomUUID(),
        event.aggregatetype ?? type,
        event.aggregateid,
        'VersionReached',
        event.payload ?? JSON.stringify({ version: event.version }),
        event.correlationId ?? '',
      ]),
    ],
  )
}

/** One transaction with one event. */
export function insertEvent(outbox: TestOutbox, event: EventRow): Promise<void> {
  return insertEvents(outbox.database.root, outbox.type, [event])
}

/** A transaction that stays open until `end` is called. */
export async function openTransaction(
  { database }: Pick<TestOutbox, 'database'>,
  work: (connection: Queryable) => Promise<void>,
): Promise<{ end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> }> {
  const ending = Promise.withResolvers<'COMMIT' | 'ROLLBACK'>()
  const begun = Promise.withResolvers<void>()
  const done = database.root.withConnection(async connection => {
    await connection.write('START TRANSACTION')
    await work(connection)
    begun.resolve()
    await connection.write(await ending.promise)
  })
  done.catch(begun.reject)
  // A test that fails leaves nothing locked.
  onTestFinished(() => ending.resolve('ROLLBACK'))
  await begun.promise
  return {
    end: how => {
      ending.resolve(how)
      return done
    },
  }
}

/** The versions of each aggregate, in the order in which they were published. */
export async function publishedVersions(
  topic: string,
  options: ReadTopicOptions = {},
): Promise<Map<string, number[]>> {
  const versions = new Map<string, number[]>()
  for (const { key, value } of await readTopic(topic, options)) {
    const ofAggregate = versions.get(String(key)) ?? []
    versions.set(String(key), ofAggregate)
    const { version } = Body.parse(JSON.parse(String(value)))
    ofAggregate.push(version)
  }
  return versions
}

export interface Workload {
  readonly writers: number
  readonly aggregates: number
  /** Aggregates that one transaction changes, and events of each. */
  readonly aggregatesPerTransaction: number
  readonly eventsPerAggregate: number
  /** How long a transaction stays open: random, mostly near zero. */
  readonly longestTransactionMs: number
  readonly rollbackShare: number
}

export interface Writing {
  /** Committed events so far. */
  readonly committed: number
  /** Resolves when all writers have ended. */
  stop(): Promise<void>
  /** What must have come out once everything is published: for each aggregate 1, 2, 3… up to the version in the database. */
  expected(): Promise<Map<string, number[]>>
}

/**
 * Writers side by side. Each transaction locks its aggregates, raises their versions, writes an event for each version, stays open
 * for a while, and commits or rolls back. So the versions of an aggregate are committed one after the other, and what is rolled back
 * leaves gaps in the numbers of the outbox, but none in the versions.
 */
export async function startWriting(outbox: TestOutbox, work: Workload): Promise<Writing> {
  const { root } = outbox.database
  await root.write('CREATE TABLE aggregates (id VARCHAR(20) PRIMARY KEY, version INT NOT NULL)')
  await root.write('INSERT INTO aggregates VALUES ?', [
    Array.from({ length: work.aggregates }, (_, i) => [`aggregate-${String(i).padStart(5, '0')}`, 0]),
  ])
  let committed = 0
  const stopping = new AbortController()

  async function write(): Promise<void> {
    while (!stopping.signal.aborted) {
      await root.withConnection(async connection => {
        await connection.write('START TRANSACTION')
        const first = Math.floor(Math.random() * work.aggregates)
        // In the order of the key, so that writers wait for each other and never in a circle.
        const found = await connection.rows<{ id: string; version: number }>(
          'SELECT id, version FROM aggregates WHERE id >= ? ORDER BY id LIMIT ? FOR UPDATE',
          [`aggregate-${String(first).padStart(5, '0')}`, work.aggregatesPerTransaction],
        )
        const events = found.flatMap(({ id, version }) =>
          Array.from({ length: work.eventsPerAggregate }, (_, i) => ({
            aggregateid: id,
            version: version + i + 1,
          })),
        )
        // A scan of the table, which a server may choose while it is small, would lock those of others.
        await connection.write(
          'UPDATE aggregates FORCE INDEX (PRIMARY) SET version = version + ? WHERE id IN (?)',
          [work.eventsPerAggregate, found.map(({ id }) => id)],
        )
        await insertEvents(connection, outbox.type, events)
        await delay(Math.random() ** 6 * work.longestTransactionMs)
        const rollsBack = Math.random() < work.rollbackShare
        await connection.write(rollsBack ? 'ROLLBACK' : 'COMMIT')
        if (!rollsBack) committed += events.length
      })
    }
  }

  const writers = Array.from({ length: work.writers }, () => write())
  onTestFinished(async () => {
    stopping.abort()
    // Of a writer that fails, `stop` tells.
    await Promise.allSettled(writers)
  })
  return {
    get committed() {
      return committed
    },
    async stop() {
      stopping.abort()
      await Promise.all(writers)
    },
    async expected() {
      const rows = await root.rows<{ id: string; version: number }>(
        'SELECT id, version FROM aggregates WHERE version > 0',
      )
      return new Map(rows.map(({ id, version }) => [id, Array.from({ length: version }, (_, i) => i + 1)]))
    },
  }
}

/** How many events a map of versions holds. */
export function countVersions(versions: ReadonlyMap<string, readonly number[]>): number {
  let count = 0
  for (const each of versions.values()) count += each.length
  return count
}

/** A figure of /metrics: the sum over its labels; 0 while there is none. */
export async function metric(relay: RunningService, name: string): Promise<number> {
  const text = await (await fetch(`${relay.probeUrl}/metrics`)).text()
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
