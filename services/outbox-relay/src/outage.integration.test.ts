import { setTimeout as delay } from 'node:timers/promises'
import {
  eventually,
  startFaultProxy,
  startOwnKafka,
  startOwnMysql,
  startTcpProxy,
  testKafka,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import {
  countVersions,
  createOutbox,
  insertEvent,
  openTransaction,
  insertEvents,
  metric,
  publishedVersions,
  shortGrace,
  startWriting,
} from './test-relay.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

const workload = {
  writers: 4,
  aggregates: 40,
  aggregatesPerTransaction: 2,
  eventsPerAggregate: 2,
  longestTransactionMs: 300,
  rollbackShare: 0.1,
}

test('a broker that is away for 30 s: writes go on, reads do not, the backlog drains after, each row once', async () => {
  const kafka = await startOwnKafka()
  const outbox = await createOutbox({ kafka })
  const readAheadBytes = 65_536
  const relay = await outbox.startRelay({ READ_AHEAD_BYTES: String(readAheadBytes) })
  const writing = await startWriting(outbox, workload)
  await relay.waitForLog(line => line.msg === 'events published')

  await kafka.nodes[0]!.kill()
  await waitUntilNotReady(relay)
  const before = writing.committed
  await delay(30_000)
  await eventually(
    // Each weighs more than 600 bytes.
    () => expect((writing.committed - before) * 600).toBeGreaterThan(2 * readAheadBytes),
    { what: 'more rows than may be read ahead' },
  )
  expect(await metric(relay, 'outbox_relay_waiting_bytes')).toBeLessThan(2 * readAheadBytes)
  await kafka.nodes[0]!.start()

  await writing.stop()
  const expected = await writing.expected()
  const seen = await publishedVersions(outbox.topic, {
    count: countVersions(expected),
    on: kafka,
    timeoutMs: 120_000,
  })
  expect(seen).toEqual(expected)
  expect(await outbox.database.root.rows('SELECT seq FROM relay_parked')).toEqual([])
  await eventually(async () => expect((await fetch(`${relay.probeUrl}/readyz`)).status).toBe(200), {
    what: 'readiness',
  })
}, 360_000)

test('connections to the broker that are cut at any moment: what was sent is neither lost nor sent twice', async () => {
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const outbox = await createOutbox({ via: proxy.address })
  const writing = await startWriting(outbox, workload)
  const relay = await outbox.startRelay()
  for (let cuts = 0; cuts < 25; cuts++) {
    await delay(Math.random() * 300)
    proxy.cut()
  }
  await writing.stop()
  const expected = await writing.expected()
  expect(await publishedVersions(outbox.topic, { count: countVersions(expected) })).toEqual(expected)
  expect(relay.exit).toBeNull()
  expect(await outbox.database.root.rows('SELECT seq FROM relay_parked')).toEqual([])
}, 300_000)

test('a database that is killed, read-only, or cuts its connections: the relay waits, says so, and goes on', async () => {
  const mysql = await startOwnMysql()
  const outbox = await createOutbox({ on: mysql })
  const { root } = outbox.database
  const relay = await outbox.startRelay()
  let version = 0
  const publishOneMore = async (): Promise<void> => {
    await eventually(() => insertEvent(outbox, { aggregateid: 'a', version: version + 1 }), {
      what: 'the database to take a row',
    })
    version++
    const versions = Array.from({ length: version }, (_, i) => i + 1)
    expect(await publishedVersions(outbox.topic, { count: version })).toEqual(new Map([['a', versions]]))
  }
  await publishOneMore()

  // The row of a transaction that the server's death rolls back must not be waited for, nor taken for published.
  const lost = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: 'lost', version: 1 }]),
  )
  await publishOneMore()
  await mysql.process.kill()
  await expect(lost.end('COMMIT')).rejects.toThrow(/connection|closed/i)
  await waitUntilNotReady(relay)
  await mysql.process.start()
  await publishOneMore()

  await root.write('SET GLOBAL read_only = ON')
  await waitUntilNotReady(relay)
  await root.write('SET GLOBAL read_only = OFF')
  await publishOneMore()

  await root.write('KILL USER outbox_relay')
  await publishOneMore()
  expect(relay.exit).toBeNull()
}, 300_000)

test('a database that falls silent, as in a failover that resets no connection: the relay says so, goes on by new ones, and ends in time', async () => {
  const outbox = await createOutbox()
  const { host, port } = outbox.database.server
  const proxy = await startTcpProxy({ target: `${host}:${port}` })
  const relay = await outbox.startRelay({
    MYSQL_HOST: '127.0.0.1',
    MYSQL_PORT: String(proxy.port),
    // Less than it takes until nobody waits for an answer any more.
    SHUTDOWN_TIMEOUT_MS: '16000',
  })
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await publishedVersions(outbox.topic, { count: 1 })

  proxy.forget()
  await insertEvent(outbox, { aggregateid: 'a', version: 2 })
  await waitUntilNotReady(relay)
  await eventually(async () => expect(await metric(relay, 'outbox_relay_lag_seconds')).toBeNaN(), {
    what: 'the lag to be unknown',
  })
  expect(await publishedVersions(outbox.topic, { count: 2, timeoutMs: 40_000 })).toEqual(
    new Map([['a', [1, 2]]]),
  )
  await eventually(async () => expect((await fetch(`${relay.probeUrl}/readyz`)).status).toBe(200), {
    what: 'readiness',
  })

  proxy.swallow()
  await waitUntilNotReady(relay)
  expect(await relay.stop()).toBe(0)
}, 300_000)

test('a prepared transaction (XA) still fills its hole after a restart of the database, which lists it as a new one', async () => {
  const mysql = await startOwnMysql()
  const outbox = await createOutbox({ on: mysql })
  const { root } = outbox.database
  const relay = await outbox.startRelay(shortGrace)
  const xid = `'${outbox.type}'`
  await root.withConnection(async connection => {
    await connection.write(`XA START ${xid}`)
    await insertEvents(connection, outbox.type, [{ aggregateid: 'prepared', version: 1 }])
    await connection.write(`XA END ${xid}`)
    await connection.write(`XA PREPARE ${xid}`)
    await insertEvent(outbox, { aggregateid: 'after', version: 1 })
    await publishedVersions(outbox.topic, { count: 1 })
    // The relay looks at who might fill the hole; the recovered transaction must begin in another second.
    await delay(2_000)
    await mysql.process.kill()
  })
  await mysql.process.start()
  await eventually(() => insertEvent(outbox, { aggregateid: 'after', version: 2 }), {
    what: 'the database to take a row',
  })
  await publishedVersions(outbox.topic, { count: 2 })
  // Longer than it takes to find a hole dead.
  await delay(3_000)
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(1), {
    what: 'the hole',
  })
  await root.write(`XA COMMIT ${xid}`)
  const seen = await publishedVersions(outbox.topic, { count: 3 })
  expect(seen).toEqual(
    new Map([
      ['after', [1, 2]],
      ['prepared', [1]],
    ]),
  )
}, 300_000)

function waitUntilNotReady(relay: RunningService): Promise<void> {
  return eventually(async () => expect((await fetch(`${relay.probeUrl}/readyz`)).status).toBe(503), {
    what: 'the relay to say that it is not ready',
  })
}
