import { setTimeout as delay } from 'node:timers/promises'
import { createLogger } from '@kafka-pattern/service-runtime'
import { createDatabase, createTopic, eventually, readTopic } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { emptyCursor } from './cursor.ts'
import { Retention } from './retention.ts'
import { createOutbox, insertEvents, openTransaction, publishedVersions } from './test-relay.ts'
import type { CommittedCursors } from './committed-cursors.ts'
import type { TestOutbox } from './test-relay.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

const env = { RETENTION_HOURS: '1', PARTITION_ROWS: '1000', RETENTION_CHECK_MS: '200' }

async function partitionsOf(outbox: TestOutbox): Promise<string[]> {
  const rows = await outbox.database.root.rows<{ name: string }>(
    `SELECT PARTITION_NAME AS name FROM information_schema.partitions
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'outbox' ORDER BY PARTITION_ORDINAL_POSITION`,
  )
  return rows.map(({ name }) => name)
}

async function usePartitions(outbox: TestOutbox, bounds: number[]): Promise<void> {
  const partitions = bounds.map(bound => `PARTITION p${bound} VALUES LESS THAN (${bound})`)
  await outbox.database.root.write(
    `ALTER TABLE outbox PARTITION BY RANGE (seq) (${partitions.join(', ')}, PARTITION pmax VALUES LESS THAN MAXVALUE)`,
  )
}

async function insertMany(outbox: TestOutbox, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({ aggregateid: `a-${i % 50}`, version: i }))
  await insertEvents(outbox.database.root, outbox.type, events)
}

/** Two hours ago, by the clock of the session. */
async function insertOld(outbox: TestOutbox, count: number): Promise<void> {
  await outbox.database.root.withConnection(async connection => {
    await connection.write('SET timestamp = UNIX_TIMESTAMP() - 7200')
    const events = Array.from({ length: count }, (_, i) => ({ aggregateid: `a-${i % 50}`, version: i }))
    await insertEvents(connection, outbox.type, events)
    await connection.write('SET timestamp = DEFAULT')
  })
}

function makeOld(outbox: TestOutbox): Promise<unknown> {
  return outbox.database.root.write('UPDATE outbox SET created_at = created_at - INTERVAL 2 HOUR')
}

test('partitions are added before they are needed, and dropped when all of their rows are published and old', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000])
  await insertMany(outbox, 1_500)
  await outbox.startRelay(env)
  await publishedVersions(outbox.topic, { count: 1_500 })
  await eventually(
    async () => expect(await partitionsOf(outbox)).toEqual(['p1000', 'p2000', 'p3000', 'p4000', 'pmax']),
    { what: 'two partitions ahead' },
  )
  await makeOld(outbox)
  await eventually(
    async () => expect(await partitionsOf(outbox)).toEqual(['p2000', 'p3000', 'p4000', 'pmax']),
    { what: 'the first partition to be dropped, and not the one with the newest row' },
  )
  await insertMany(outbox, 1_000)
  await publishedVersions(outbox.topic, { count: 2_500 })
})

test('nothing unpublished is ever dropped: not what is open, however old all the rest is', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000, 3_000, 4_000, 5_000])
  await insertOld(outbox, 500)
  const open = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: 'late', version: 1 }]),
  )
  await insertOld(outbox, 1_400)
  const relay = await outbox.startRelay(env)
  await publishedVersions(outbox.topic, { count: 1_900 })
  // Many a check passes, and finds the cursor's hole in the first partition.
  await delay(2_000)
  expect((await partitionsOf(outbox))[0]).toBe('p1000')

  await open.end('COMMIT')
  await publishedVersions(outbox.topic, { count: 1_901 })
  await makeOld(outbox)
  await eventually(async () => expect((await partitionsOf(outbox))[0]).toBe('p2000'), {
    what: 'the first partition to be dropped once its last row is published',
  })
  expect(relay.exit).toBeNull()
})

test('a partition stays while one lane is behind, however far the others are', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000])
  await createTopic({ topic: outbox.topic, partitions: 3 })
  await createTopic({ topic: outbox.env.KAFKA_CURSOR_TOPIC!, partitions: 2 })
  const stuck = `${outbox.type}-stuck`
  const stuckRow = { aggregateid: 'a-0', version: 1, aggregatetype: stuck }
  await insertEvents(outbox.database.root, outbox.type, [stuckRow])
  await insertOld(outbox, 1_500)
  // A topic with more replicas than brokers cannot be made yet, so the lane of the first row waits.
  const relay = await outbox.startRelay(
    { ...env, RELAY_LANES: '2', TOPIC_REPLICATION_FACTOR: '3', PARK_AFTER_ATTEMPTS: '100' },
    { waitReady: false },
  )
  await readTopic(outbox.topic, { until: events => events.length > 500 })
  await makeOld(outbox)
  const isAdded = (name: string) =>
    eventually(async () => expect(await partitionsOf(outbox)).toContain(name), {
      what: `${name} to be added`,
    })
  // It may be put off for a while, by what other tests do: rows that come faster than partitions end in the last one.
  await isAdded('p4000')
  // A check adds before it drops: when the second one has added something, the first one is through.
  await insertMany(outbox, 500)
  await isAdded('p5000')
  await insertMany(outbox, 1_000)
  await isAdded('p6000')
  expect((await partitionsOf(outbox))[0]).toBe('p1000')
  expect(relay.exit).toBeNull()

  await createTopic({ topic: `outbox.event.${stuck}` })
  await publishedVersions(outbox.topic, { count: 3_000 })
  await eventually(async () => expect((await partitionsOf(outbox))[0]).toBe('p2000'), {
    what: 'the first partition to be dropped',
  })
})

test('a transaction that has touched the outbox does not make writers wait behind a change of partitions', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000])
  await insertMany(outbox, 1_500)
  const open = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: 'late', version: 1 }]),
  )
  await outbox.startRelay(env)
  let slowestMs = 0
  let count = 1_500
  const untilMs = performance.now() + 4_000
  while (performance.now() < untilMs) {
    const beganAtMs = performance.now()
    await insertMany(outbox, 1)
    count++
    slowestMs = Math.max(slowestMs, performance.now() - beganAtMs)
    await delay(50)
  }
  // A try gives up after a second. Who waited for the transaction would wait for ever: it ends after this.
  expect(slowestMs).toBeLessThan(20_000)
  await open.end('COMMIT')
  await publishedVersions(outbox.topic, { count: count + 1 })
  await eventually(async () => expect(await partitionsOf(outbox)).toContain('p4000'), {
    what: 'partitions to be added after all',
  })
})

test('a long transaction that has nothing to do with the outbox does not keep partitions as they are', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000])
  await insertMany(outbox, 1_500)
  let thread = ''
  const open = await openTransaction({ database: await createDatabase() }, async connection => {
    await connection.write('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    const [session] = await connection.rows<{ id: string | number }>('SELECT CONNECTION_ID() AS id')
    thread = String(session?.id)
  })
  await eventually(
    async () => {
      const rows = await outbox.database.root.rows(
        `SELECT 1 FROM information_schema.innodb_trx
         WHERE trx_mysql_thread_id = ? AND trx_started < NOW() - INTERVAL 3 SECOND`,
        [thread],
      )
      expect(rows).toHaveLength(1)
    },
    { what: 'the transaction to be a long one' },
  )
  await outbox.startRelay(env)
  await eventually(async () => expect(await partitionsOf(outbox)).toContain('p4000'), {
    what: 'partitions to be added beside it',
  })
  await open.end('COMMIT')
})

test('a partition that somebody else drops before its rows are looked at is no failure', async () => {
  const outbox = await createOutbox()
  await usePartitions(outbox, [1_000, 2_000])
  await insertMany(outbox, 1_500)
  const { root } = outbox.database
  const rows: Mysql['rows'] = async (sql, values) => {
    const found = await root.rows<never>(sql, values)
    if (sql.includes('information_schema.partitions') && (await partitionsOf(outbox))[0] === 'p1000') {
      await root.write('ALTER TABLE outbox DROP PARTITION p1000')
    }
    return found
  }
  const cursors: Pick<CommittedCursors, 'read'> = { read: async () => [{ ...emptyCursor, high: 1_500 }] }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const told = vi.spyOn(logger, 'info')
  const onFatal = vi.fn<(error: Error) => void>()
  const retention = new Retention({
    mysql: { ...root, rows },
    cursors,
    logger,
    retentionHours: 1,
    partitionRows: 1_000,
    checkMs: 50,
    isMine: () => true,
    onFatal,
  })
  onTestFinished(() => retention.stop())
  retention.start()
  await eventually(async () => expect(await partitionsOf(outbox)).toContain('p3000'), {
    what: 'the next check to do the rest',
  })
  expect(told.mock.calls[0]).toEqual([
    { err: expect.objectContaining({ errno: 1735 }) },
    'partitions are left as they are for now',
  ])
  expect(onFatal).not.toHaveBeenCalled()
})
