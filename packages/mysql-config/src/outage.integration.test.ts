import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import {
  createDatabase,
  eventually,
  startOwnMysql,
  startTcpProxy,
  type OwnMysql,
  type TcpProxy,
  type TestDatabase,
} from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { classifyMysqlError, SchemaError, UnknownOutcomeError } from './errors.ts'
import { createMysql, type Mysql, type MysqlOptions } from './mysql.ts'
import { waitForMysql, watchMysql } from './wait-for-mysql.ts'
import type { MysqlSettings } from './settings.ts'

const logger = pino({ level: 'silent' })
const noCheck = () => Promise.resolve()

function open(settings: MysqlSettings, options?: MysqlOptions): Mysql {
  const mysql = createMysql(settings, logger, options)
  onTestFinished(() => mysql.close())
  return mysql
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  )
}

describe('a connection that is lost', () => {
  let database: TestDatabase
  let proxy: TcpProxy
  let mysql: Mysql
  beforeEach(async () => {
    database = await createDatabase({ load: false })
    await database.root.write('CREATE TABLE t (id INT PRIMARY KEY)')
    const { host, port, rootPassword } = database.server
    proxy = await startTcpProxy({ target: `${host}:${port}` })
    const settings = { ...database.settings('root'), MYSQL_PASSWORD: rootPassword }
    mysql = open(
      { ...settings, MYSQL_HOST: '127.0.0.1', MYSQL_PORT: proxy.port, MYSQL_POOL_SIZE: 2 },
      { answerTimeoutMs: 10_000 },
    )
    await eventually(() => mysql.health(), { what: 'the database to answer' })
  })

  const stored = async () =>
    (await database.root.rows<{ id: number }>('SELECT id FROM t')).map(({ id }) => id)

  test.each([
    ['before', []],
    ['after', [1]],
  ] as const)(
    'during COMMIT, %s the server has it: the outcome is called unknown',
    async (moment, expected) => {
      const cut = proxy.cutAt('COMMIT', moment)
      const error = await failureOf(
        mysql.inTransaction(transaction => transaction.write('INSERT INTO t VALUES (1)')),
      )
      await cut
      expect(error).toBeInstanceOf(UnknownOutcomeError)
      // Until the server has noticed that its client is gone.
      await eventually(async () => expect(await stored()).toEqual(expected), {
        what: 'the transaction to end',
      })
      expect(await mysql.rows("SELECT 'up' AS server")).toEqual([{ server: 'up' }])
    },
  )

  test('during a statement that commits itself: unknown, too', async () => {
    const cut = proxy.cutAt('INSERT', 'after')
    const error = await failureOf(mysql.write('INSERT INTO t VALUES (2)'))
    await cut
    expect(error).toBeInstanceOf(UnknownOutcomeError)
    expect(await stored()).toEqual([2])
  })

  test('before COMMIT: rolled back, and known to be', async () => {
    const error = await failureOf(
      mysql.inTransaction(async transaction => {
        await transaction.write('INSERT INTO t VALUES (3)')
        proxy.cut()
        await failureOf(transaction.rows('SELECT 1'))
      }),
    )
    expect(error).not.toBeInstanceOf(UnknownOutcomeError)
    expect(classifyMysqlError(error)).toBe('unavailable')
    await eventually(async () => expect(await stored()).toEqual([]), { what: 'the rollback' })
  })

  test('while many rows are read', async () => {
    const limits = { rows: 10, bytes: 1_000 }
    const cut = proxy.cutAt('SELECT id', 'after')
    const error = await failureOf(mysql.rowArrays('SELECT id FROM t', limits))
    await cut
    expect(classifyMysqlError(error)).toBe('unavailable')
    expect(await mysql.rowArrays("SELECT 'up'", limits)).toMatchObject({ rows: [['up']] })
  })

  test('without anybody saying so: waited for no longer than was told, for COMMIT with an unknown outcome', async () => {
    const error = await failureOf(
      mysql.inTransaction(async transaction => {
        await transaction.write('INSERT INTO t VALUES (4)')
        proxy.swallow()
      }),
    )
    expect(error).toBeInstanceOf(UnknownOutcomeError)
    expect(classifyMysqlError(await failureOf(mysql.rows('SELECT 1')))).toBe('unavailable')
    await proxy.restore()
    await eventually(() => mysql.health(), { what: 'the database to be back' })
  })

  test('closing within a limit does not wait for the answer of one that is being made', async () => {
    proxy.swallow()
    const [outcome] = await Promise.allSettled([mysql.rows('SELECT 1'), mysql.close(100)])
    // And not that connecting has timed out.
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('closed before') },
    })
  })

  test('in the middle of what a service checks at its start: checked again from the beginning', async () => {
    const steps: string[] = []
    const cut = proxy.cutAt('SELECT 42', 'before')
    const checked = await waitForMysql(mysql, { logger }, async () => {
      steps.push('schema')
      await mysql.rows('SELECT 42')
      steps.push('grants')
      return 'checked'
    })
    await cut
    expect(checked).toBe('checked')
    // Twice at least: an answer that takes too long has the same effect.
    expect(steps.join(' ')).toMatch(/^(schema ){2,}grants$/)
  })

  test('while idle: nobody notices', async () => {
    await Promise.all([mysql.rows('SELECT SLEEP(0.1)'), mysql.rows('SELECT SLEEP(0.1)')])
    proxy.cut()
    await eventually(() => expect(proxy.connections).toBe(0), { what: 'the connections to end' })
    expect(await mysql.rows("SELECT 'up' AS server")).toEqual([{ server: 'up' }])
  })
})

/** What a server that offers TLS says first: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html */
function greeting(): Buffer {
  const allCapabilities = Buffer.from([0xff, 0xff, 45, 2, 0, 0xff, 0xff, 21])
  const payload = Buffer.concat([
    Buffer.from('\x0a9.7.0\0\x01\0\0\0challeng\0'),
    allCapabilities,
    Buffer.from(`${'\0'.repeat(10)}challenge...\0mysql_native_password\0`),
  ])
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload])
}

test.each<[string, (socket: Socket) => void]>([
  ['ends', socket => socket.end()],
  ['is reset', socket => socket.resetAndDestroy()],
])('a connection that %s during the TLS handshake is lost, not refused', async (_how, lose) => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => lose(socket))
    socket.write(greeting())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : NaN
  const database = await createDatabase({ load: false })
  const settings = {
    ...database.settings('root'),
    MYSQL_HOST: '127.0.0.1',
    MYSQL_PORT: port,
    MYSQL_TLS: true,
  }
  const error = await failureOf(open(settings).health())
  expect(error).toMatchObject({ code: 'HANDSHAKE_SSL_ERROR' })
  expect(classifyMysqlError(error)).toBe('unavailable')
})

describe('a server of its own', () => {
  let server: OwnMysql
  let database: TestDatabase
  beforeAll(async () => {
    server = await startOwnMysql()
    return () => server.stop()
  })
  beforeEach(async () => {
    database = await createDatabase({ on: server })
  })

  test('restarted: statements fail as unavailable, waiting helps, and the same pool goes on', async () => {
    const mysql = database.connect('user-registry')
    const insert = "INSERT INTO users (id, name, level, version) VALUES (?, 'Ada', 1, 1)"
    await mysql.write(insert, ['before'])
    const running = failureOf(mysql.rows('SELECT SLEEP(30)'))
    const watch = watchMysql(mysql, { logger })
    onTestFinished(() => watch.stop())
    await eventually(() => expect(watch.healthy).toBe(true), { what: 'the watch to see it' })

    await server.process.kill()
    expect(classifyMysqlError(await running)).toBe('unavailable')
    expect(classifyMysqlError(await failureOf(mysql.write(insert, ['never'])))).toBe('unavailable')
    await eventually(() => expect(watch.healthy).toBe(false), { what: 'the watch to see that it is away' })

    const back = waitForMysql(mysql, { logger }, noCheck)
    await server.process.start()
    await back
    await mysql.write(insert, ['after'])
    expect(await mysql.rows('SELECT id FROM users ORDER BY id')).toEqual([{ id: 'after' }, { id: 'before' }])
    await eventually(() => expect(watch.healthy).toBe(true), { what: 'the watch to see that it is back' })
  })

  test('in another time zone, without a strict mode, whose sessions do not commit: ours are in UTC and strict, and commit', async () => {
    await database.root.write('SET GLOBAL autocommit = 0')
    onTestFinished(async () => {
      await database.root.write('SET GLOBAL autocommit = 1')
    })
    await database.root.write("SET GLOBAL time_zone = '+05:00'")
    await database.root.write("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'")
    const mysql = database.connect('user-registry')
    await mysql.write("INSERT INTO users (id, name, level, version) VALUES ('a', ?, 1, 1)", [
      "\\' OR 1=1 -- ",
    ])
    const [row] = await database
      .connect('user-registry')
      .rows<{ name: string; age: string }>(
        'SELECT name, TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()) AS age FROM users',
      )
    expect(row?.name).toBe("\\' OR 1=1 -- ")
    expect(Number(row?.age)).toBeLessThan(60)
    expect(classifyMysqlError(await failureOf(mysql.write('UPDATE users SET level = 1000')))).toBe('data')
  })

  test('read-only: not healthy, and writing is refused as something that passes, with nothing unknown', async () => {
    const mysql = database.connect('user-registry')
    await mysql.health()
    await database.root.write('SET GLOBAL read_only = 1')
    expect(classifyMysqlError(await failureOf(mysql.health()))).toBe('unavailable')
    const error = await failureOf(mysql.write('UPDATE users SET level = 1'))
    expect(classifyMysqlError(error)).toBe('unavailable')
    expect(error).not.toBeInstanceOf(UnknownOutcomeError)
    const waiting = waitForMysql(mysql, { logger }, noCheck)
    await database.root.write('SET GLOBAL read_only = 0')
    await waiting
    await mysql.write('UPDATE users SET level = 1')
  })

  test('that will never let this user in: one sentence at once, instead of waiting', async () => {
    const settings = database.settings('user-registry')
    for (const wrong of [{ MYSQL_PASSWORD: 'wrong' }, { MYSQL_DATABASE: 'nowhere' }]) {
      const error = await failureOf(waitForMysql(open({ ...settings, ...wrong }), { logger }, noCheck))
      expect(error).toBeInstanceOf(SchemaError)
      expect(error).toMatchObject({
        message: expect.stringMatching(/denied.*: check MYSQL_HOST/),
        exitCode: 78,
      })
    }
  })

  test('that is frozen: waiting ends with its signal', async () => {
    const mysql = open(database.settings('user-registry'), { answerTimeoutMs: 500 })
    await server.process.freeze()
    onTestFinished(() => server.process.thaw())
    const stop = new AbortController()
    const waiting = failureOf(waitForMysql(mysql, { logger, signal: stop.signal }, noCheck))
    stop.abort()
    expect(await waiting).toMatchObject({ name: 'AbortError' })
  })
})
