/** The figures of `make lag`, where they are known. */
import { createGroupConsumer } from '@kafka-pattern/kafka-config'
import { createMysql } from '@kafka-pattern/mysql-config'
import {
  createDatabase,
  createTopic,
  eventually,
  produce,
  testKafka,
  uniqueName,
} from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { newSetting } from '../../services/cdc-poller/src/test-changes.ts'
import { laneOf } from '../../services/outbox-relay/src/outbox-row.ts'
import {
  createOutbox,
  insertEvent,
  insertEvents,
  openTransaction,
} from '../../services/outbox-relay/src/test-relay.ts'
import { readLag, type LagReport } from './lag-report.ts'
import { countedUpTo } from './relay-lanes.ts'

const { kafka, logger } = testKafka()

/** Two records on each of three partitions. */
async function filledTopic(): Promise<string> {
  const topic = await createTopic({ partitions: 3 })
  const value = '{}'
  await produce([0, 0, 1, 1, 2, 2].map(partition => ({ topic, key: null, value, partition })))
  return topic
}

const groupOf = ({ groups }: LagReport, name: string) => groups.find(({ group }) => group === name)

test('what a group has committed is compared with the ends; who only listens is told of without a lag', async () => {
  const topic = await filledTopic()
  const [shared, alone] = [uniqueName('shared'), uniqueName('alone')]
  const options = { topics: [topic], from: 'earliest' as const, logger }
  const worker = createGroupConsumer(kafka, { ...options, groupId: shared })
  const listener = createGroupConsumer(kafka, { ...options, groupId: alone, positions: 'in memory' })
  onTestFinished(async () => void (await Promise.all([worker.stop(), listener.stop()])))
  const nextOffsets = new Map([
    [0, '1'],
    [1, '2'],
  ])
  await listener.start({ onRecords() {} })
  await worker.start({
    async onRecords({ partition, assignment }) {
      const nextOffset = nextOffsets.get(partition)
      if (nextOffset !== undefined) await worker.commit(topic, partition, nextOffset, assignment)
    },
  })
  const partition = (
    number: number,
    position: string | null,
    lag: number | null,
    consumer: string | null,
  ) => ({
    topic,
    partition: number,
    position,
    end: '2',
    lag,
    consumer,
  })

  await eventually(
    async () => {
      const report = await readLag({ kafka })
      expect(groupOf(report, shared)).toEqual({
        group: shared,
        lag: 1,
        partitions: [
          partition(0, '1', 1, 'test'),
          partition(1, '2', 0, 'test'),
          partition(2, null, null, 'test'),
        ],
      })
      expect(report.listeners).toContainEqual({ group: alone, consumers: ['test'], partitions: 3 })
      expect(report).not.toHaveProperty('relay')
      expect(report).not.toHaveProperty('pollers')
      expect(report).not.toHaveProperty('sinks')
    },
    { what: 'both commits in the report' },
  )

  await worker.stop()
  await listener.stop()
  await eventually(
    async () => {
      const after = await readLag({ kafka })
      expect(groupOf(after, shared)?.partitions).toEqual([
        partition(0, '1', 1, null),
        partition(1, '2', 0, null),
      ])
      expect(after.listeners.map(({ group }) => group)).not.toContain(alone)
    },
    { what: 'both to have left their groups' },
  )
})

test('lanes: who has them, how far they are published, and how many rows wait since when', async () => {
  const outbox = await createOutbox()
  const lanes = 2
  const { RELAY_NAME: group = '', KAFKA_CURSOR_TOPIC: cursorTopic = '' } = outbox.env
  const mysql = outbox.database.connect('outbox-relay')
  const report = () => readLag({ kafka, relay: { mysql, group, cursorTopic } })
  const lag = async () => (await report()).relay!
  const [a, b] = [0, 1].map(lane => ['a', 'b', 'c', 'd', 'e'].find(id => laneOf(id, lanes) === lane)!)
  const insert = (aggregateid: string, version: number) => insertEvent(outbox, { aggregateid, version })

  const relay = await outbox.startRelay({
    RELAY_LANES: String(lanes),
    LEASE_MS: '60000',
    HOLE_GRACE_MS: '600000',
  })
  await insert(a!, 1)
  const open = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: b!, version: 1 }]),
  )
  await insert(b!, 2)
  await eventually(
    async () => {
      const { newestSeq, lanes: both, parked } = await lag()
      expect({ newestSeq, parked }).toEqual({ newestSeq: 3, parked: 0 })
      for (const lane of both) {
        // Number 2 may still come; a lane without rows has it as a hole, too.
        expect(lane).toMatchObject({ publishedUpTo: 3, holes: 1, unpublished: 0, oldestUnpublishedMs: null })
        expect(lane.owner).toContain(String(relay.pid))
        expect(lane.leaseEndsInMs).toBeGreaterThan(0)
      }
    },
    { what: 'both lanes to be published' },
  )

  await relay.stop()
  await open.end('COMMIT')
  await insert(a!, 2)
  await insert(a!, 3)
  await outbox.database.root.write(
    'UPDATE outbox SET created_at = created_at - INTERVAL 1 HOUR WHERE seq = 4',
  )
  const stopped = await lag()
  expect(stopped.newestSeq).toBe(5)
  expect(stopped.lanes).toMatchObject([
    { lane: 0, owner: null, leaseEndsInMs: null, publishedUpTo: 3, unpublished: 2 },
    { lane: 1, owner: null, leaseEndsInMs: null, publishedUpTo: 3, unpublished: 1 },
  ])
  expect(stopped.lanes[0]!.oldestUnpublishedMs).toBeGreaterThanOrEqual(3_600_000)
  expect(stopped.lanes[1]!.oldestUnpublishedMs).toBeLessThan(3_600_000)
  // The numbers that it commits are no offsets: nobody is behind the cursor's topic.
  expect(groupOf(await report(), group)).toBeUndefined()

  const many = Array.from({ length: countedUpTo }, (_, i) => ({ aggregateid: b!, version: i + 3 }))
  await insertEvents(outbox.database.root, outbox.type, many)
  expect((await lag()).lanes[1]!.unpublished).toBe(countedUpTo)
})

test(
  'a poller: who works, how far the cursor is behind now and behind the last change',
  { timeout: 300_000 },
  async () => {
    const setting = await newSetting()
    const { database, topic } = setting
    const mysql = database.connect('cdc-poller')
    const tables = [{ topic, table: 'users', updatedAtColumn: 'updated_at' }]
    const cursorOf = async (followed = tables) =>
      (await readLag({ kafka, poller: { mysql, tables: followed } })).pollers!.find(
        each => each.topic === topic,
      )!
    const poller = await setting.start({ LEASE_MS: '20000' })
    await eventually(
      async () => {
        const cursor = await cursorOf()
        expect(cursor.owner).toContain(String(poller.pid))
        expect(cursor.leaseEndsInMs).toBeGreaterThan(0)
        // An empty table: there is nothing that it could be behind.
        expect(cursor.behindNewestMs).toBeNull()
        expect(cursor.behindNowMs).toBeLessThan(60_000)
      },
      // What other tests have open on this server holds it back, for a minute and more.
      { what: 'the poller to move its cursor', timeoutMs: 240_000 },
    )
    await poller.stop()
    const { cursor } = await cursorOf()
    await database.root.write(
      `INSERT INTO users (id, name, level, version, updated_at) VALUES (UUID(), 'Ada', 1, 1, ? + INTERVAL 5 SECOND)`,
      [cursor],
    )
    expect(await cursorOf()).toMatchObject({ owner: null, cursor, behindNewestMs: 5_000 })
    expect(await cursorOf([]), 'of a table that is not known here').toMatchObject({ behindNewestMs: null })
  },
)

test('sinks: the position beside the rows, which counts, and not the copy of it that the group has', async () => {
  const topic = await filledTopic()
  const database = await createDatabase()
  await database.root.write('INSERT INTO consumer_offsets VALUES (?, ?, 0, 2), (?, ?, 1, 0)', [
    'sink',
    topic,
    'sink',
    topic,
  ])
  const { sinks } = await readLag({ kafka, sink: { mysql: database.connect('mysql-sink-consumer') } })
  expect(sinks).toEqual([
    {
      group: 'sink',
      lag: 2,
      partitions: [
        { topic, partition: 0, position: '2', end: '2', lag: 0, consumer: null },
        { topic, partition: 1, position: '0', end: '2', lag: 2, consumer: null },
      ],
    },
  ])
})

test('a database that does not answer costs what it knows, and nothing else', async () => {
  const topic = await filledTopic()
  const group = uniqueName('group')
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '1' }] })
  const mysql = createMysql(
    {
      MYSQL_HOST: '127.0.0.1',
      MYSQL_PORT: 1,
      MYSQL_USER: 'nobody',
      MYSQL_PASSWORD: '',
      MYSQL_DATABASE: 'nowhere',
      MYSQL_TLS: false,
      MYSQL_POOL_SIZE: 1,
    },
    logger,
  )
  onTestFinished(() => mysql.close())

  const report = await readLag({ kafka, sink: { mysql } })
  expect(report.withoutDatabase).toContain('ECONNREFUSED 127.0.0.1:1')
  expect(report).not.toHaveProperty('sinks')
  expect(groupOf(report, group)).toMatchObject({ lag: 1 })
})
