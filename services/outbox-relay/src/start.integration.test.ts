import {
  createTopic,
  eventually,
  startOwnMysql,
  startService,
  testKafka,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { createOutbox, insertEvent, publishedVersions } from './test-relay.ts'
import type { TestOutbox } from './test-relay.ts'
import type { Queryable } from '@kafka-pattern/mysql-config'

async function refusal(outbox: TestOutbox, env: Record<string, string> = {}): Promise<string> {
  const relay = await outbox.startRelay(env, { waitReady: false })
  expect(await relay.waitForExit()).toBe(78)
  return relay.stderrLines.join('\n')
}

test('another version of the schema ends it at once, in one sentence', async () => {
  const outbox = await createOutbox()
  await outbox.database.root.write("UPDATE schema_versions SET version = 9 WHERE component = 'outbox-relay'")
  expect(await refusal(outbox)).toMatch(/schema version 9 of outbox-relay, but version 1 is needed/)
})

test.each([
  ['relay_parked', 'INSERT'],
  ['outbox', 'SELECT'],
  ['outbox', 'DROP'],
])('without the right on %s to %s it ends at once, in one sentence', async (table, right) => {
  const outbox = await createOutbox()
  const { root, name } = outbox.database
  await root.write(`REVOKE ${right} ON ${name}.${table} FROM outbox_relay`)
  const sentence = await refusal(outbox)
  expect(sentence).toMatch(/the database refuses what outbox-relay needs \(.*denied.*\): grant it/)
  expect(sentence.split('\n')).toHaveLength(1)
})

test('a backup of the server, which holds up changes of tables, does not hold up the start', async () => {
  const server = await startOwnMysql()
  const outbox = await createOutbox({ on: server })
  const done = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const backup = outbox.database.root.withConnection(async connection => {
    const end = await beginBackup(connection)
    begun.resolve()
    await done.promise
    await connection.write(end)
  })
  backup.catch(begun.reject)
  await begun.promise
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['a', [1]]]))
  expect(await relay.stop()).toBe(0)
  done.resolve()
  await backup
})

/** As `xtrabackup` or MySQL Enterprise Backup does, and `mariabackup`. Returns the statement that ends it. */
async function beginBackup(connection: Queryable): Promise<string> {
  const [found] = await connection.rows<{ version: string }>('SELECT VERSION() AS version')
  const isMariaDB = found?.version.includes('MariaDB') === true
  const stages = ['BACKUP STAGE START', 'BACKUP STAGE FLUSH', 'BACKUP STAGE BLOCK_DDL']
  for (const statement of isMariaDB ? stages : ['LOCK INSTANCE FOR BACKUP']) await connection.write(statement)
  return isMariaDB ? 'BACKUP STAGE END' : 'UNLOCK INSTANCE'
}

test('another number of lanes than before is refused, by the table and by the position', async () => {
  const outbox = await createOutbox()
  const { root } = outbox.database
  const relay = await outbox.startRelay({ RELAY_LANES: '2' })
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await publishedVersions(outbox.topic, { count: 1 })
  await relay.stop()
  expect(await refusal(outbox, { RELAY_LANES: '3' })).toMatch(/RELAY_LANES is 3, but .* has 2:/)
  // A new table does not help: Kafka remembers.
  await root.write('DELETE FROM relay_leases')
  expect(await refusal(outbox, { RELAY_LANES: '3' })).toMatch(/2 partitions.*RELAY_LANES is 3/)
})

test('a table that ends before the position is another table: nothing of it would ever be published', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await insertEvent(outbox, { aggregateid: 'a', version: 2 })
  await publishedVersions(outbox.topic, { count: 2 })
  await outbox.database.root.write('TRUNCATE outbox')
  await insertEvent(outbox, { aggregateid: 'a', version: 3 })
  expect(await relay.waitForExit()).toBe(1)
  const sentence = /the outbox ends at 1, but it is published up to 2/
  expect(relay.logLines.some(({ err }) => sentence.test(JSON.stringify(err)))).toBe(true)
  expect(await refusal(outbox)).toMatch(sentence)
})

test('a position that Kafka has forgotten is not taken for a beginning: nothing is published again', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await publishedVersions(outbox.topic, { count: 1 })
  expect(await relay.stop()).toBe(0)
  await withAdmin(testKafka(), admin => admin.deleteGroups([outbox.env.RELAY_NAME!]))
  expect(await refusal(outbox)).toMatch(/published up to about 1, but Kafka has no position/)
  expect(await publishedVersions(outbox.topic)).toEqual(new Map([['a', [1]]]))
})

test('a topic that exists is used as it is', async () => {
  const outbox = await createOutbox()
  await createTopic({ topic: outbox.topic, partitions: 1 })
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['a', [1]]]))
  expect(await relay.stop()).toBe(0)
})

test('bad settings end it at once, all of them named', async () => {
  const relay = await startService(
    'outbox-relay',
    { RELAY_LANES: '0', LEASE_MS: 'soon', BATCH_SIZE: '-1' },
    { waitReady: false },
  )
  expect(await relay.waitForExit()).toBe(78)
  await eventually(
    () => {
      for (const key of ['RELAY_LANES', 'LEASE_MS', 'BATCH_SIZE']) {
        expect(relay.stderrLines.join('\n')).toContain(key)
      }
    },
    { what: 'the message' },
  )
})
