/**
 * Debezium in the place of outbox-relay and of cdc-poller, with the connectors of infra/connect: what consumers get must be the
 * same. One worker and one database server for the whole file; every test has a database, topics and connectors of its own.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { headerText, outboxTopic, UserState } from '@kafka-pattern/events'
import {
  createDatabase,
  eventually,
  readTopic,
  startOwnConnect,
  startOwnMysql,
  startSecondMysql,
  startService,
  testKafka,
  uniqueName,
  withAdmin,
  type MysqlServer,
  type OwnConnect,
  type ReadRecord,
  type TestDatabase,
} from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, test } from 'vitest'
import { repositoryDir } from '../repository.ts'
import { UserError } from '../user-error.ts'
import { connectorClasses, registerConnector, type RegisterOptions } from './register-connector.ts'
import { removeConnector } from './remove-connector.ts'

/** For Kafka Connect to start a connector, and for its first records: on a busy machine either can take more than a minute. */
const patienceMs = 120_000

let connect: OwnConnect
let mysql: MysqlServer

beforeAll(async () => {
  const [worker, second] = await Promise.all([startOwnConnect(), startSecondMysql()])
  connect = worker
  mysql = second.server
  return () => Promise.all([worker.stop(), second.stop()])
}, 300_000)

type Registered = Partial<RegisterOptions> & { pattern: 'cdc' | 'outbox' }

async function optionsFor(database: TestDatabase, { pattern, variables, ...more }: Registered) {
  return {
    mysql: database.connect(variables?.MYSQL_USER ?? 'debezium'),
    connectUrl: connect.url,
    registrationFile: join(repositoryDir, 'infra', 'connect', `${pattern}.json`),
    variables: {
      CONNECTOR_NAME: uniqueName(pattern),
      CONNECTOR_CLASS: connectorClasses[await kindOf(database)],
      MYSQL_HOST: database.server.host,
      MYSQL_PORT: String(database.server.port),
      MYSQL_USER: 'debezium',
      MYSQL_PASSWORD: 'debezium',
      MYSQL_DATABASE: database.name,
      KAFKA_BROKERS: testKafka().brokers.join(','),
      KAFKA_TOPIC: uniqueName('cdc.users'),
      ...variables,
    },
    timeoutMs: patienceMs,
    ...more,
  }
}

async function kindOf({ root }: TestDatabase): Promise<'mysql' | 'mariadb'> {
  const [row] = await root.rows<{ version: string }>('SELECT VERSION() AS version')
  return row!.version.includes('MariaDB') ? 'mariadb' : 'mysql'
}

describe('in the place of outbox-relay', () => {
  test(
    'it writes the same records: topic, partition, key, headers and value, in the same order for each aggregate',
    { timeout: 600_000 },
    async () => {
      const database = await createDatabase({ on: mysql })
      const aggregateType = uniqueName('user')
      const topic = outboxTopic(aggregateType)
      const ids = Array.from({ length: 5 }, () => randomUUID())
      let written = 0
      const insert = async (aggregateId: string, payload: string, correlationId = '') => {
        written++
        await database.root.write(
          'INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES (?)',
          [[randomUUID(), aggregateType, aggregateId, 'UserRenamed', payload, correlationId]],
        )
      }
      // What was there before is in the snapshot, the rest comes from the binary log.
      for (const id of ids) await insert(id, JSON.stringify({ id, name: 'before' }), randomUUID())
      const options = await optionsFor(database, { pattern: 'outbox' })
      await registerConnector(options)
      for (const id of ids) await insert(id, JSON.stringify({ id, name: 'after' }), randomUUID())
      await database.root
        .inTransaction(async transaction => {
          await transaction.write(
            `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES (UUID(), ?, ?, 'Never', '{}')`,
            [aggregateType, ids[0]],
          )
          throw new Error('rolled back')
        })
        .catch(() => {})
      // Text of every kind, numbers at the limits, null, nesting, and spaces where JSON.stringify puts none.
      const strange = {
        text: 'é 😀 "\\ </a>\u2028\n',
        max: 2 ** 53 - 1,
        min: -1,
        half: 0.5,
        none: null,
        list: [1, 'a', {}],
      }
      await insert(ids[0]!, JSON.stringify(strange))
      await insert(ids[1]!, '{ "spaced" : [ 1, 2 ] }')
      // What the relay does for its retention.
      await database.root.write(
        'ALTER TABLE outbox REORGANIZE PARTITION pmax INTO (PARTITION p2000000 VALUES LESS THAN (2000000), PARTITION pmax VALUES LESS THAN MAXVALUE)',
      )
      for (const id of ids) await insert(id, JSON.stringify({ id, name: 'at last' }))

      await untilCreated(topic)
      const byDebezium = await readTopic(topic, { count: written, timeoutMs: patienceMs })
      await removeConnector(connect.url, options.variables.CONNECTOR_NAME)

      // To the same topic, so that not even its name can differ: everything comes a second time.
      await startService('outbox-relay', database.env('outbox-relay'))
      const seen = new Set(byDebezium.map(({ partition, offset }) => `${partition}/${offset}`))
      const both = await readTopic(topic, { count: 2 * written })
      const byRelay = both.filter(({ partition, offset }) => !seen.has(`${partition}/${offset}`))

      // MariaDB's JSON is a text, and goes through both as it is; MySQL writes its own form, and each of the two reads it in its own way.
      const read = (await kindOf(database)) === 'mariadb' ? String : parsed
      expect(recordsByKey(byDebezium, read)).toEqual(recordsByKey(byRelay, read))
      expect(byDebezium.map(({ value }) => parsed(value))).toContainEqual(strange)
    },
  )
})

describe('in the place of cdc-poller', () => {
  test(
    'it writes the same states of rows, and more of them: a replica of either is the table',
    { timeout: 600_000 },
    async () => {
      const database = await createDatabase({ on: mysql })
      const topics = { debezium: uniqueName('cdc.users'), poller: uniqueName('cdc.users') }
      const [kept, deleted, late] = [randomUUID(), randomUUID(), randomUUID()]
      const { root } = database
      const change = (id: string, assignments: string) =>
        root.write(`UPDATE users SET ${assignments}, version = version + 1 WHERE id = ?`, [id])
      await root.write('INSERT INTO users (id, name, level, version) VALUES ?', [
        [
          [kept, 'Zoë "😀" \\ \u2028', 0, 1],
          [deleted, 'Bob', 100, 1],
        ],
      ])
      const options = await optionsFor(database, {
        pattern: 'cdc',
        variables: { KAFKA_TOPIC: topics.debezium },
      })
      await registerConnector(options)
      for (let level = 1; level <= 5; level++) await change(kept, `level = ${level}`)
      await change(deleted, 'deleted_at = CURRENT_TIMESTAMP(6)')
      // Half a second to the digit: a text of another length.
      await root.write(
        `INSERT INTO users (id, name, level, version, created_at) VALUES (?, 'Cleo', 1, 1, '2026-01-31 23:59:59.500000')`,
        [late],
      )
      await startService('cdc-poller', {
        ...database.env('cdc-poller'),
        KAFKA_TOPIC: topics.poller,
        // Half of it is for Kafka to answer: where that takes longer, records are sent, and stored, a second time.
        LEASE_MS: '60000',
      })

      await untilCreated(topics.debezium)
      const byDebezium = await readTopic(topics.debezium, { count: 9, timeoutMs: patienceMs })
      const byPoller = await readTopic(topics.poller, {
        until: records =>
          new Set(records.map(({ key }) => String(key))).size === 3 &&
          records.some(({ value }) => value === null),
      })
      await removeConnector(connect.url, options.variables.CONNECTOR_NAME)

      const debeziumStates = byDebezium.map(stateOf)
      const ofKey = (id: string) => debeziumStates.filter(state => state.id === id)
      expect(ofKey(kept).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6])
      // The difference: to Debezium a soft delete is a change like any other, so there is no tombstone after the last state.
      expect(ofKey(deleted).map(({ deleted_at }) => deleted_at !== null)).toEqual([false, true])
      expect(byDebezium.every(record => String(record.key) === stateOf(record).id)).toBe(true)
      expect(
        byDebezium.every(({ headers }) => headerText(headers, 'content-type') === 'application/json'),
      ).toBe(true)
      const tombstones = byPoller.filter(({ value }) => value === null)
      expect(tombstones.map(({ key }) => String(key))).toEqual([deleted])
      for (const record of byPoller.filter(({ value }) => value !== null)) {
        expect(debeziumStates).toContainEqual(stateOf(record))
        expect(partitionOf(byDebezium, record.key)).toBe(record.partition)
      }

      const replicas = { debezium: 'users_replica_cdc', poller: 'users_replica_outbox' } as const
      for (const writer of ['debezium', 'poller'] as const) {
        await startService('mysql-sink-consumer', {
          ...database.env('mysql-sink-consumer'),
          KAFKA_TOPICS: topics[writer],
          KAFKA_CONSUMER_GROUP: uniqueName('sink'),
          REPLICA_TABLE: replicas[writer],
        })
      }
      const columns = 'id, name, level, version, created_at, updated_at, deleted_at'
      const rowsOf = (table: string) => root.rows(`SELECT ${columns} FROM ${table} ORDER BY id`)
      const source = await rowsOf('users')
      expect(source).toHaveLength(3)
      for (const replica of Object.values(replicas)) {
        await eventually(async () => expect(await rowsOf(replica)).toEqual(source), {
          what: `${replica} to be the table`,
        })
      }
    },
  )
})

test(
  'what is written while it is stopped comes when it starts again, however long the database was idle before',
  { timeout: 600_000 },
  async () => {
    const database = await createDatabase({ on: mysql })
    const aggregateType = uniqueName('user')
    const topic = outboxTopic(aggregateType)
    const insert = (type: string) =>
      database.root.write(
        `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES (UUID(), ?, 'one', ?, '{}')`,
        [aggregateType, type],
      )
    // To Debezium's connector for MariaDB a statement of DDL begins a transaction that does not end. While nothing else happens, it counts
    // the signs of life that an idle server sends as events of it; its heartbeats would make that number a part of its position,
    // and after a restart it would skip as many events. Here a sign comes every 1.6 s, by default every 48 s; much shorter times
    // make it reconnect on a busy machine.
    const overrides = { 'connect.keep.alive.interval.ms': '2000' }
    const options = await optionsFor(database, { pattern: 'outbox', overrides })
    await registerConnector(options)
    await insert('before')
    await untilCreated(topic)
    await readTopic(topic, { count: 1, timeoutMs: patienceMs })
    await database.root.write('CREATE TABLE last_before_the_night (id INT PRIMARY KEY)')
    const severalSignsMs = 5 * 1_600
    await delay(severalSignsMs)

    await removeConnector(connect.url, options.variables.CONNECTOR_NAME)
    await insert('meanwhile')
    await registerConnector(options)
    await insert('after')
    const records = await readTopic(topic, {
      until: read => read.some(record => typeOf(record) === 'after'),
      timeoutMs: patienceMs,
    })
    expect(new Set(records.map(typeOf))).toEqual(new Set(['before', 'meanwhile', 'after']))
    await removeConnector(connect.url, options.variables.CONNECTOR_NAME)
  },
)

describe('registering', { timeout: 600_000 }, () => {
  test('again changes nothing, but another configuration is taken over and a failed connector starts anew', async () => {
    const database = await createDatabase({ on: mysql })
    const account = await createAccount(database, 'SELECT, REPLICATION CLIENT')
    const lines: string[] = []
    const options = await optionsFor(database, {
      pattern: 'outbox',
      variables: { MYSQL_USER: account, MYSQL_PASSWORD: account },
      progress: line => lines.push(line.replace(/.*: /, '')),
    })
    await expect(registerConnector(options)).rejects.toThrow(/failed: .*privilege/)
    await database.root.write(
      `GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${account}'@'%'`,
    )
    await registerConnector(options)
    await registerConnector(options)
    const name = options.variables.CONNECTOR_NAME
    const tuned = { ...options, overrides: { 'poll.interval.ms': '10' } }
    await registerConnector(tuned)
    expect(lines.filter(line => line !== 'running' && !line.startsWith('takes its snapshot'))).toEqual([
      'registered',
      'started anew',
      'is as registered before',
      'changed',
    ])
    const config = await fetch(`${connect.url}/connectors/${name}/config`)
    expect(await config.json()).toMatchObject({ 'poll.interval.ms': '10' })
    expect(await removeConnector(connect.url, name)).toBe(true)
    expect(await removeConnector(connect.url, name)).toBe(false)
  })

  test.each<{ what: string; grants: string; variables?: Record<string, string>; sentence: RegExp }>([
    {
      what: 'a wrong password',
      grants: '',
      variables: { MYSQL_PASSWORD: 'wrong' },
      sentence: /^Kafka Connect refuses connector \S+: Unable to connect: .*Access denied[^\n]*$/,
    },
    {
      what: 'a wrong port',
      grants: '',
      variables: { MYSQL_PORT: '1' },
      sentence: /^Kafka Connect refuses connector \S+: Unable to connect: [^\n]*$/,
    },
    {
      what: 'no right to ask for the position in the binary log',
      grants: 'SELECT, RELOAD, REPLICATION SLAVE',
      sentence: /^Connector \S+: the database refuses what debezium needs .*privilege[^\n]*$/,
    },
    {
      what: 'no right to read the binary log',
      grants: 'SELECT, RELOAD, REPLICATION CLIENT',
      sentence: /^Connector \S+ failed: .*privilege[^\n]*$/,
    },
    {
      what: 'no right to read the table, of which Debezium would say nothing',
      grants: 'RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT',
      sentence: /^Connector \S+: the database refuses what debezium needs .*SELECT command denied[^\n]*$/,
    },
  ])('with $what ends in one sentence', async ({ grants, variables, sentence }) => {
    const database = await createDatabase({ on: mysql })
    const account = await createAccount(database, grants)
    const options = await optionsFor(database, {
      pattern: 'outbox',
      variables: { MYSQL_USER: account, MYSQL_PASSWORD: account, ...variables },
      // These two are for Connect to find.
      ...(variables !== undefined && { mysql: database.root }),
    })
    const error = await registerConnector(options).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UserError)
    expect(error).toMatchObject({ message: expect.stringMatching(sentence) })
  })

  test('at a database whose binary log does not hold rows ends in one sentence', async () => {
    const database = await createDatabase({ on: await startOwnMysql() })
    await database.root.write(`SET GLOBAL binlog_format = 'STATEMENT'`)
    await expect(registerConnector(await optionsFor(database, { pattern: 'cdc' }))).rejects.toThrow(
      /^Connector \S+ failed: The database server is not configured to use a ROW binlog_format[^.\n]*\.$/,
    )
  })

  test('where no Kafka Connect answers ends in one sentence', async () => {
    const database = await createDatabase({ on: mysql })
    const options = await optionsFor(database, { pattern: 'cdc', connectUrl: 'http://127.0.0.1:1' })
    await expect(registerConnector(options)).rejects.toThrow(
      /^Kafka Connect does not answer at http:\/\/127\.0\.0\.1:1: [^\n]+$/,
    )
  })
})

/** Debezium creates a topic with its first record. */
async function untilCreated(topic: string): Promise<void> {
  const offsets = await eventually(() => withAdmin(testKafka(), admin => admin.fetchTopicOffsets(topic)), {
    what: `${topic} to be created`,
    timeoutMs: patienceMs,
  })
  expect(offsets).toHaveLength(3)
}

function typeOf({ headers }: ReadRecord): string | undefined {
  return headerText(headers, 'event-type')
}

/** A database user whose name is its password, as createDatabase connects it. It goes with the run. */
async function createAccount({ root, name }: TestDatabase, grants: string): Promise<string> {
  const account = name.replace('test', 'account')
  await root.write(`CREATE USER '${account}'@'%' IDENTIFIED BY '${account}'`)
  // Without any right it could not even see its database.
  await root.write(`GRANT INSERT ON users TO '${account}'@'%'`)
  if (grants !== '') await root.write(`GRANT ${grants} ON *.* TO '${account}'@'%'`)
  return account
}

/** Everything that a consumer can see of a record but its offset and time, in the order of each key. */
function recordsByKey(
  records: ReadRecord[],
  read: (value: Buffer | null) => unknown,
): Record<string, object[]> {
  const byKey = Object.groupBy(records, ({ key }) => String(key))
  return Object.fromEntries(
    Object.entries(byKey).map(([key, ofKey]) => [
      key,
      ofKey!.map(({ topic, partition, headers, value }) => ({
        topic,
        partition,
        headers: Object.fromEntries(
          Object.keys(headers).map(header => [header, headerText(headers, header)]),
        ),
        value: read(value),
      })),
    ]),
  )
}

function parsed(value: Buffer | null): unknown {
  return JSON.parse(String(value))
}

function stateOf(record: ReadRecord): UserState {
  return UserState.parse(parsed(record.value))
}

function partitionOf(records: ReadRecord[], key: Buffer | null): number | undefined {
  return records.find(record => String(record.key) === String(key))?.partition
}
