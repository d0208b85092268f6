/**
 * Changes of users on a topic into an empty replica: every second one creates a user, the others rename one. mysql-sink-consumer keeps
 * its offsets in the transaction of the rows and refuses older versions; Debezium's JDBC sink upserts, and commits offsets to Kafka.
 * A turn ends when the replica has everything; a peer is stopped after some seconds, while its table is still small and fast.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createGatheringProducer, type GatheringProducer } from '../../../packages/kafka-config/src/index.ts'
import { createLogger } from '../../../packages/service-runtime/src/index.ts'
import { startConnector } from '../database/debezium.ts'
import {
  freshName,
  peerLimitMs,
  runningConnector,
  runningProcess,
  startService,
  type FigureOptions,
  type PreparedFigure,
  type Running,
  type Turn,
} from '../database/figure.ts'
import { chunked, userChanges, type User } from '../database/rows.ts'
import { recreateTopic } from '../database/topics.ts'
import { countRecords, freePort } from '../run-service.ts'
import type { BenchDatabase } from '../database/databases.ts'

const topic = 'bench-changes'
/** The same changes, as Debezium's JDBC sink needs them: with the schemas of key and value, and moments as numbers. */
const schemaTopic = 'bench-changes-with-schema'
const stuckAfterMs = 60_000

/** What it must hold in the end. */
interface Replica {
  users: number
  versions: number
}

/** A contestant at work, and how many changes it has written. */
type Sink = Running & { written(): Promise<number> }

export async function prepareSink(options: FigureOptions): Promise<PreparedFigure> {
  const { databases, scale } = options
  const count = Math.round(500_000 * scale)
  const expected = await fillTopics(options, count)

  async function start({ contestant: { run } }: Turn, database: BenchDatabase): Promise<Sink> {
    if (run.kind === 'service') {
      const port = await freePort()
      const env = { KAFKA_TOPICS: topic, KAFKA_CONSUMER_GROUP: freshName('sink'), PROBE_PORT: String(port) }
      const service = startService(databases, database, run.service, { ...env, ...run.env })
      return { ...runningProcess(service), written: () => countRecords(port) }
    }
    if (run.kind !== 'debezium') throw new TypeError(`nobody knows how to start a ${run.kind}`)
    const { host, port, name } = database
    const before = await rowsWritten(database)
    const connector = await startConnector(databases, freshName('jdbc'), {
      'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
      topics: schemaTopic,
      'connection.url': `jdbc:mariadb://${host}:${port}/${name}`,
      'connection.username': 'root',
      'connection.password': '',
      'insert.mode': 'upsert',
      'primary.key.mode': 'record_key',
      'primary.key.fields': 'id',
      'collection.name.format': 'users_replica',
      'schema.evolution': 'none',
      'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'key.converter.schemas.enable': 'true',
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'value.converter.schemas.enable': 'true',
      'consumer.override.auto.offset.reset': 'earliest',
      ...run.config,
    })
    return {
      ...runningConnector(connector),
      // Each change is one upsert.
      written: async () => (await rowsWritten(database)) - before,
    }
  }

  return {
    async run(turn) {
      const database = await databases.createDatabase()
      const wanted = turn.round === 0 ? Math.round(count / 8) : count
      try {
        const sink = await start(turn, database)
        try {
          const isPeer = turn.contestant.run.kind === 'debezium'
          const { perSecond, done } = await watch(sink, wanted, isPeer ? peerLimitMs : Infinity)
          if (done && wanted === count) await requireReplica(database, expected)
          return { value: perSecond, residentMb: sink.residentMb() }
        } finally {
          await sink.stop()
        }
      } finally {
        await database.drop()
      }
    },
    async close() {
      await databases.admin.deleteTopics({ topics: [topic, schemaTopic] })
    },
  }
}

/** Changes a second, from the first sample that moved. */
async function watch(
  sink: Sink,
  wanted: number,
  limitMs: number,
): Promise<{ perSecond: number; done: boolean }> {
  let first: { at: number; written: number } | undefined
  let last = { at: performance.now(), written: 0 }
  for (let samples = 0; ; samples++) {
    const sample = { at: performance.now(), written: await sink.written() }
    if (sample.written > 0) first ??= sample
    if (sample.written > last.written) last = sample
    if (sample.at - last.at > stuckAfterMs) {
      throw new Error(`nothing was written for a minute, after ${last.written} of ${wanted} changes`)
    }
    const done = sample.written >= wanted
    if (first && (done || sample.at - first.at > limitMs)) {
      return { perSecond: (sample.written - first.written) / ((sample.at - first.at) / 1000), done }
    }
    if (samples % 20 === 0) await sink.requireAlive()
    await sleep(50)
  }
}

/** The newest version of every user, soon: a peer's last transaction may still be open. */
async function requireReplica({ root }: BenchDatabase, expected: Replica): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const [found] = await root.rows<{ users: string; versions: string }>(
      'SELECT COUNT(*) AS users, SUM(version) AS versions FROM users_replica',
    )
    const { users, versions } = { users: Number(found?.users), versions: Number(found?.versions) }
    if (users === expected.users && versions === expected.versions) return
    if (performance.now() > deadline) {
      const wanted = `${expected.users} users with ${expected.versions} versions`
      throw new Error(`the replica has ${users} users with ${versions} versions, not ${wanted}`)
    }
    await sleep(100)
  }
}

/** Rows that anybody has tried to insert on this server: an upsert is one, whatever becomes of it. */
async function rowsWritten({ root }: BenchDatabase): Promise<number> {
  const [row] = await root.rows<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Handler_write'")
  return Number(row?.Value)
}

async function fillTopics({ databases, turns }: FigureOptions, count: number): Promise<Replica> {
  console.error(`sink: filling topics with ${count.toLocaleString('en')} changes`)
  const producer = createGatheringProducer(databases.kafka, {
    logger: createLogger({ name: 'bench', level: 'warn' }),
  })
  await producer.connect()
  const withSchema = turns.some(({ contestant }) => contestant.run.kind === 'debezium')
  await recreateTopic(databases, topic)
  await recreateTopic(databases, schemaTopic)
  // Each change of a user counts its version up by one.
  const replica = { users: 0, versions: count }
  for (const states of chunked(userChanges(count), 5_000)) {
    replica.users += states.filter(({ version }) => version === 1).length
    await Promise.all([
      send(producer, topic, states, plain),
      withSchema && send(producer, schemaTopic, states, described),
    ])
  }
  await producer.close()
  return replica
}

function send(
  producer: GatheringProducer,
  to: string,
  states: User[],
  recordOf: (state: User) => { key: string; value: string },
): Promise<unknown> {
  return producer.sendBatch(states.map(state => ({ topic: to, ...recordOf(state) })))
}

const plain = (state: User) => ({ key: state.id, value: JSON.stringify(state) })

const field = (name: string, type: string) => ({ field: name, type, optional: false })
const moment = (name: string, optional: boolean) => ({
  field: name,
  type: 'int64',
  optional,
  name: 'io.debezium.time.MicroTimestamp',
})
const id = field('id', 'string')
const keySchema = JSON.stringify({ type: 'struct', optional: false, fields: [id] })
const valueSchema = JSON.stringify({
  type: 'struct',
  optional: false,
  fields: [
    id,
    field('name', 'string'),
    field('level', 'int16'),
    field('version', 'int64'),
    moment('created_at', false),
    moment('updated_at', false),
    moment('deleted_at', true),
  ],
})

const micros = (text: string) => Date.parse(`${text.slice(0, 23)}Z`) * 1000 + Number(text.slice(23, 26))

function described(state: User): { key: string; value: string } {
  const payload = {
    ...state,
    created_at: micros(state.created_at),
    updated_at: micros(state.updated_at),
    deleted_at: null,
  }
  return {
    key: `{"schema":${keySchema},"payload":{"id":"${state.id}"}}`,
    value: `{"schema":${valueSchema},"payload":${JSON.stringify(payload)}}`,
  }
}
