/** The database or Kafka away, in the ways in which they go: it waits, says so, and loses nothing. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  eventually,
  startFaultProxy,
  startOwnKafka,
  startOwnMysql,
  startTcpProxy,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { allPublished, insertUsers, killAndFreeLease, newSetting, newUsers } from './test-changes.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

async function waitingFor(service: RunningService): Promise<string[]> {
  const response = await fetch(`${service.probeUrl}/readyz`)
  const { waitingFor: names }: { waitingFor: string[] } = JSON.parse(await response.text())
  return names
}

const notReady = (service: RunningService, name: string) =>
  eventually(async () => expect(await waitingFor(service)).toContain(name), {
    what: `not to be ready for ${name}`,
  })
const ready = (service: RunningService) =>
  eventually(async () => expect(await waitingFor(service)).toEqual([]), {
    what: 'to be ready again',
    timeoutMs: 60_000,
  })

test(
  'the database dies and comes back, then is read-only for a while: waits, says so, nothing is lost',
  { timeout: 300_000 },
  async () => {
    const mysql = await startOwnMysql()
    const setting = await newSetting({ mysql })
    const { root } = setting.database
    const service = await setting.start({ LEASE_MS: '2000' })
    await root.write(insertUsers, [newUsers(100)])
    await allPublished(setting)

    await mysql.process.kill()
    await notReady(service, 'MySQL')
    await mysql.process.start()
    await ready(service)
    await root.write(insertUsers, [newUsers(100)])
    await allPublished(setting)

    await root.write(insertUsers, [newUsers(100)])
    await root.write('SET GLOBAL read_only = 1')
    await notReady(service, 'MySQL')
    await root.write('SET GLOBAL read_only = 0')
    await ready(service)
    await root.write(insertUsers, [newUsers(100)])
    expect((await allPublished(setting)).turnedRound).toEqual([])
    expect(service.exit).toBe(null)
  },
)

test(
  'connections that are cut at every kind of statement, before or after the server has done it: nothing is lost',
  { timeout: 300_000 },
  async () => {
    const setting = await newSetting()
    const { root, server } = setting.database
    const proxy = await startTcpProxy({ target: `${server.host}:${server.port}` })
    const service = await setting.start({
      MYSQL_HOST: '127.0.0.1',
      MYSQL_PORT: String(proxy.port),
      LEASE_MS: '2000',
    })
    for (const statement of ['FORCE INDEX', 'UPDATE poller_cursors', 'innodb_trx', 'SHOW PROCESSLIST']) {
      for (const moment of ['before', 'after'] as const) {
        const cut = proxy.cutAt(statement, moment)
        await root.write(insertUsers, [newUsers(50)])
        await cut
        expect((await allPublished(setting)).turnedRound).toEqual([])
      }
    }
    expect(service.exit).toBe(null)
  },
)

test(
  'the broker stops under writes: the writes go on, and afterwards everything is there',
  { timeout: 300_000 },
  async () => {
    const kafka = await startOwnKafka()
    const [broker] = kafka.nodes
    const setting = await newSetting({ kafka })
    const { root } = setting.database
    const service = await setting.start({ LEASE_MS: '20000' })
    await root.write(insertUsers, [newUsers(100)])
    await allPublished(setting)

    const after = service.logLines.length
    await broker!.kill()
    for (let n = 0; n < 10; n++) await root.write(insertUsers, [newUsers(100)])
    await notReady(service, 'Kafka')
    // Longer than a delivery may take, so that a page is given up and sent again.
    await service.waitForLog(line => line.msg === 'Kafka does not take the changes, trying on', {
      what: 'to try on',
      after,
    })
    await root.write('UPDATE users SET version = version + 1')
    await broker!.start()
    await ready(service)
    // To the broker the test's own consumer is in its group until its session of 30 s is over.
    expect((await allPublished(setting, 120_000)).turnedRound).toEqual([])
  },
)

test(
  'Kafka so slow that the lease is renewed while a cursor is being stored: no cursor is stored that lies before another',
  { timeout: 300_000 },
  async () => {
    // Its own: what another test leaves open on a shared one would hold the cursor back.
    const setting = await newSetting({ mysql: await startOwnMysql() })
    const { root } = setting.database
    await root.write('CREATE TABLE history (n INT AUTO_INCREMENT PRIMARY KEY, cursor_updated_at DATETIME(6))')
    await root.write(
      `CREATE TRIGGER remember AFTER UPDATE ON poller_cursors
         FOR EACH ROW INSERT INTO history (cursor_updated_at) VALUES (NEW.cursor_updated_at)`,
    )
    // Each page has a moment of its own.
    for (let page = 0; page < 6; page++) {
      await root.write('INSERT INTO users (id, name, level, version, updated_at) VALUES ?', [
        newUsers(10).map(user => [...user, `2026-01-01 00:00:0${page}`]),
      ])
    }
    const proxy = await startFaultProxy({ target: setting.on.brokers[0]! })
    proxy.delay(600)
    // Due after a third of it, and to deliver a page takes longer.
    await setting.start(
      { KAFKA_BROKERS: proxy.address, LEASE_MS: '3300', PAGE_ROWS: '10' },
      { waitReady: false },
    )
    await allPublished(setting, 180_000)
    await proxy.restore()
    const stored = await eventually(
      async () => {
        const history = await root.rows<{ at: string }>(
          'SELECT cursor_updated_at AS at FROM history ORDER BY n',
        )
        const moments = history.map(({ at }) => at)
        expect(moments.at(-1)! >= '2026-01-01 00:00:05').toBe(true)
        return moments
      },
      { what: 'the cursor of the last page' },
    )
    expect(new Set(stored).size).toBeGreaterThan(4)
    // Behind the first one, too, the lease was renewed.
    const later = stored.filter(at => at !== stored[0])
    expect(later.length).toBeGreaterThan(new Set(later).size)
    expect(stored).toEqual(stored.toSorted())
  },
)

test(
  'a prepared transaction (XA) is waited for over a restart of the database, which lists it as a new one',
  { timeout: 300_000 },
  async () => {
    const mysql = await startOwnMysql()
    const setting = await newSetting({ mysql })
    const { root } = setting.database
    const first = await setting.start()
    await root.write(insertUsers, [newUsers(1)])
    await allPublished(setting)
    const late = newUsers(1)
    const xid = `'${setting.topic}'`
    await root.withConnection(async connection => {
      await connection.write(`XA START ${xid}`)
      await connection.write(insertUsers, [late])
      await connection.write(`XA END ${xid}`)
      await connection.write(`XA PREPARE ${xid}`)
      await root.write(insertUsers, [newUsers(1)])
      await allPublished(setting)
      // Longer than the overlap and what the server's whole seconds leave open.
      await delay(4_000)
      await mysql.process.kill()
    })
    await mysql.process.start()
    await eventually(() => root.write(insertUsers, [newUsers(1)]), { what: 'the database to take a row' })
    await allPublished(setting)
    // The same for a poller that knows nothing but the cursor.
    await killAndFreeLease(first, setting)
    await setting.start()
    await root.write(insertUsers, [newUsers(1)])
    await allPublished(setting)
    await delay(4_000)
    await root.write(`XA COMMIT ${xid}`)
    const { last } = await allPublished(setting)
    expect(late.filter(([id]) => !last.has(id))).toEqual([])
  },
)

test('started before the database is there: it waits, then works', { timeout: 300_000 }, async () => {
  const setting = await newSetting()
  const { root, server } = setting.database
  const proxy = await startTcpProxy({ target: `${server.host}:${server.port}` })
  await proxy.refuse()
  const service = await setting.start(
    { MYSQL_HOST: '127.0.0.1', MYSQL_PORT: String(proxy.port) },
    { waitReady: false },
  )
  await service.waitForLog(line => line.msg === 'waiting for MySQL')
  expect(await waitingFor(service)).toContain('MySQL')
  await proxy.restore()
  await ready(service)
  await root.write(insertUsers, [newUsers(10)])
  await allPublished(setting)
})
