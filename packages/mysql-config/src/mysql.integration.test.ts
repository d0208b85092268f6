import { Socket } from 'node:net'
import { createDatabase, eventually, uniqueName, type TestDatabase } from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { classifyMysqlError, MysqlConfigError } from './errors.ts'
import { createMysql, type Mysql, type MysqlOptions } from './mysql.ts'
import { isoFromDatetime } from './timestamps.ts'

const logger = pino({ level: 'silent' })

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase({ load: false })
  await database.root.write('CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL)')
  await database.root.write('INSERT INTO t VALUES (1, 0), (2, 0)')
  return () => database.drop()
})

/** A pool of root on the database of this file. */
function connect(size = 10, options: MysqlOptions = {}): Mysql {
  const settings = { ...database.settings('root'), MYSQL_POOL_SIZE: size }
  const { rootPassword } = database.server
  const mysql = createMysql({ ...settings, MYSQL_PASSWORD: rootPassword }, logger, options)
  onTestFinished(() => mysql.close())
  return mysql
}

/** A pool with its connection, which takes longer to make than the short limits of a test may be. */
async function connectNow(options: MysqlOptions): Promise<Mysql> {
  const mysql = connect(1, options)
  await up(mysql)
  return mysql
}

/** Until it answers, within its limits. */
async function up(mysql: Mysql): Promise<void> {
  await eventually(
    async () => expect(await mysql.rows("SELECT 'up' AS server")).toEqual([{ server: 'up' }]),
    {
      what: 'the server to answer',
    },
  )
}

async function valueOf(id: number): Promise<unknown> {
  return (await database.root.rows('SELECT n FROM t WHERE id = ?', [id]))[0]?.n
}

describe('values come back as they were sent', () => {
  test('microseconds, big integers, JSON and text', async () => {
    const mysql = connect()
    const table = uniqueName('v').replaceAll('-', '_')
    await mysql.write(
      `CREATE TABLE ${table} (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), signed BIGINT, huge BIGINT UNSIGNED, small INT, doc JSON, text VARCHAR(200) CHARACTER SET utf8mb4)`,
    )
    const text = `Zoë 🚀 ' " \\ \0 \n %_`
    const doc = JSON.stringify({ name: text })
    const insert = `INSERT INTO ${table} (id, at, signed, huge, small, doc, text) VALUES ?`
    await mysql.write(insert, [
      [
        [
          '9223372036854775800',
          '2026-11-23 12:00:00.000001',
          '-9223372036854775808',
          '18446744073709551615',
          7,
          doc,
          text,
        ],
        ['9007199254740993', '2026-11-23 12:00:00.100000', null, null, null, null, ''],
      ],
    ])
    const [small, big] = await mysql.rows(`SELECT * FROM ${table} ORDER BY id`)
    expect(big).toEqual({
      id: '9223372036854775800',
      at: '2026-11-23 12:00:00.000001',
      signed: '-9223372036854775808',
      huge: '18446744073709551615',
      small: 7,
      doc: expect.any(String),
      text,
    })
    expect(JSON.parse(String(big?.doc))).toEqual({ name: text })
    expect(small).toMatchObject({ id: '9007199254740993', at: '2026-11-23 12:00:00.100000', signed: null })

    const next = await mysql.write(`INSERT INTO ${table} (text) VALUES ('')`)
    expect(next).toMatchObject({ affectedRows: 1, insertId: '9223372036854775801' })
  })

  test('an object is text, never SQL', async () => {
    const mysql = connect()
    // Expanded, this would be `id = id`: every row.
    const found = await mysql.rows('SELECT id FROM t WHERE id = ?', [{ id: 1 }]).catch(() => [])
    expect(found).toEqual([])
  })

  test('a value that does not fit is refused, not cut', async () => {
    const mysql = connect(1)
    const error = await mysql
      .write('UPDATE t SET n = 9999999999 WHERE id = 1')
      .catch((thrown: unknown) => thrown)
    expect(classifyMysqlError(error)).toBe('data')
  })

  test('an error shows the statement, and not the values that it was run with', async () => {
    const mysql = connect(1)
    const statement = 'INSERT INTO t (id, n, nothing) VALUES (?, ?, ?)'
    const error = await mysql.write(statement, [1, 2, 'a secret']).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ errno: 1054, sql: statement })
    expect(JSON.stringify(error)).not.toContain('secret')
  })

  test('an update says how many rows it found, or, if that is wanted, how many it changed', async () => {
    const found = await connect(1).write('UPDATE t SET n = n')
    expect(found.affectedRows).toBe(2)
    const changed = await connect(1, { affectedRows: 'changed' }).write('UPDATE t SET n = n')
    expect(changed.affectedRows).toBe(0)
  })
})

describe('a session', () => {
  test('is in UTC and strict before its first statement, on every connection', async () => {
    const mysql = connect(8)
    const sessions = await Promise.all(
      Array.from({ length: 8 }, () =>
        mysql.rows<{ id: string; zone: string; mode: string }>(
          'SELECT CONNECTION_ID() AS id, @@time_zone AS zone, @@sql_mode AS mode, SLEEP(0.1)',
        ),
      ),
    )
    expect(new Set(sessions.map(([row]) => row?.id)).size).toBe(8)
    for (const [row] of sessions) {
      expect(row?.zone).toBe('+00:00')
      expect(row?.mode).toContain('STRICT_ALL_TABLES')
      expect(row?.mode).not.toContain('NO_BACKSLASH_ESCAPES')
    }
    const [clock] = await mysql.rows<{ now: string }>('SELECT NOW(6) AS now')
    const now = Date.parse(isoFromDatetime(clock?.now ?? ''))
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000)
  })

  test('that could not be set up is never used', async () => {
    const mysql = connect(1, { onConnect: ['SET nonsense = 1'] })
    for (let attempt = 1; attempt <= 3; attempt++)
      await expect(mysql.rows('SELECT 1')).rejects.toMatchObject({ errno: 1193 })
  })

  test('keeps what onConnect set, and belongs to one alone', async () => {
    const mysql = connect(2, { onConnect: ['SET @who = 7'] })
    await mysql.withConnection(async connection => {
      expect(await connection.rows('SELECT @who AS who')).toMatchObject([{ who: expect.anything() }])
      expect(await connection.rows("SELECT GET_LOCK('mine', 0) AS got")).toMatchObject([
        { got: expect.anything() },
      ])
      const others = await mysql.rows<{ got: string }>("SELECT GET_LOCK('mine', 0) AS got")
      expect(String(others[0]?.got)).toBe('0')
      await connection.rows("SELECT RELEASE_LOCK('mine')")
    })
  })
})

describe('a transaction', () => {
  test('that throws leaves nothing behind, and its connection is clean for the next', async () => {
    const mysql = connect(1)
    const failure = new Error('the work failed')
    const rolledBack = mysql.inTransaction(async transaction => {
      await transaction.write('UPDATE t SET n = n + 1 WHERE id = 1')
      throw failure
    })
    await expect(rolledBack).rejects.toBe(failure)
    // The only connection: an open transaction of the other would be part of this one.
    await mysql.inTransaction(transaction => transaction.write('UPDATE t SET n = n + 10 WHERE id = 2'))
    expect([await valueOf(1), await valueOf(2)]).toEqual([0, 10])
  })

  test('cannot be used when it is over', async () => {
    const mysql = connect(1)
    const transaction = await mysql.inTransaction(async open => open)
    await expect(transaction.write('UPDATE t SET n = 100')).rejects.toThrow(/after it was given back/)
  })

  test('that deadlocks begins again, and both succeed', async () => {
    const mysql = connect()
    const before = Number(await valueOf(1)) + Number(await valueOf(2))
    const attempts = [0, 0]
    const bothHold = Promise.withResolvers<void>()
    let holding = 0
    const crosswise = (which: 0 | 1, first: number, second: number) =>
      mysql.inTransaction(async transaction => {
        attempts[which] = (attempts[which] ?? 0) + 1
        await transaction.write('UPDATE t SET n = n + 1 WHERE id = ?', [first])
        if (++holding === 2) bothHold.resolve()
        await bothHold.promise
        await transaction.write('UPDATE t SET n = n + 1 WHERE id = ?', [second])
      })
    await Promise.all([crosswise(0, 1, 2), crosswise(1, 2, 1)])
    expect(attempts.toSorted((a, b) => a - b)).toEqual([1, 2])
    expect(Number(await valueOf(1)) + Number(await valueOf(2))).toBe(before + 4)
  })

  test('that waits too long for a lock begins again', async () => {
    const mysql = connect(4, { onConnect: ['SET innodb_lock_wait_timeout = 1'] })
    const held = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const holder = database.root.inTransaction(async transaction => {
      await transaction.write('UPDATE t SET n = n WHERE id = 1')
      held.resolve()
      await release.promise
    })
    await held.promise
    let attempts = 0
    const before = Number(await valueOf(2))
    const waiting = mysql.inTransaction(async transaction => {
      attempts++
      await transaction.write('UPDATE t SET n = n + 1 WHERE id = 2')
      if (attempts === 2) {
        release.resolve()
        // Its commit may take longer than this one would wait for the lock.
        await holder
      }
      await transaction.write('UPDATE t SET n = n WHERE id = 1')
    })
    await Promise.all([holder, waiting])
    expect(attempts).toBe(2)
    // The first attempt's own change was rolled back with it: a lock wait alone rolls back one statement only.
    expect(await valueOf(2)).toBe(before + 1)
  })

  test('gives up within its limit, and says that others were in the way', async () => {
    const mysql = connect(1)
    let attempts = 0
    const error: unknown = await mysql
      .inTransaction(async transaction => {
        attempts++
        await transaction.write("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'as if'")
      })
      .catch((thrown: unknown) => thrown)
    expect(attempts).toBe(5)
    expect(classifyMysqlError(error)).toBe('retry transaction')
  })
})

describe('the pool', () => {
  test('refuses at once what exceeds its queue', async () => {
    const mysql = connect(1)
    const running = mysql.rows('SELECT SLEEP(1)')
    const waiting = Array.from({ length: 1_001 }, () =>
      mysql.rows('SELECT 1').then(
        () => 'done',
        (error: unknown) => error,
      ),
    )
    const outcomes = await Promise.race([Promise.all(waiting.slice(-1)), running.then(() => ['too late'])])
    expect(classifyMysqlError(outcomes[0])).toBe('unavailable')
    const all = await Promise.all(waiting)
    expect(all.filter(outcome => outcome === 'done')).toHaveLength(1_000)
  })

  test('has the system ask whether a silent server is still there', async () => {
    const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive')
    onTestFinished(() => keepAlive.mockRestore())
    await connect(1).rows('SELECT 1')
    expect(keepAlive).toHaveBeenCalledWith(true, 10_000)
  })

  test('lets nobody wait for a connection longer than a statement may take', async () => {
    const mysql = await connectNow({ answerTimeoutMs: 500 })
    const release = Promise.withResolvers<void>()
    const holder = mysql.withConnection(() => release.promise)
    await expect(mysql.rows('SELECT 1')).rejects.toBeInstanceOf(MysqlConfigError)
    release.resolve()
    await holder
    await up(mysql)
  })

  test('is healthy as long as the server is, whoever has the connections', async () => {
    const mysql = await connectNow({ answerTimeoutMs: 500 })
    const release = Promise.withResolvers<void>()
    const holder = mysql.withConnection(() => release.promise)
    await eventually(() => mysql.health(), { what: 'the server to answer' })
    await expect(mysql.rows('SELECT 1')).rejects.toBeInstanceOf(MysqlConfigError)
    release.resolve()
    await holder
  })

  test('does not wait for an answer longer than it was told, and does not use the connection again', async () => {
    const mysql = await connectNow({ answerTimeoutMs: 500 })
    await expect(mysql.rows('SELECT SLEEP(60)')).rejects.toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
    await up(mysql)
  })

  test('closing waits for what was begun, takes nothing more, and ends the connections', async () => {
    const mysql = connect(2)
    const [session] = await mysql.rows<{ id: string }>('SELECT CONNECTION_ID() AS id')
    const begun = mysql.inTransaction(async transaction => {
      await transaction.write('UPDATE t SET n = 1000 WHERE id = 1')
      await transaction.rows('SELECT SLEEP(0.3)')
    })
    const closed = mysql.close()
    await expect(mysql.rows('SELECT 1')).rejects.toMatchObject({ category: 'unavailable' })
    await begun
    await closed
    expect(await valueOf(1)).toBe(1000)
    await ended(session)
  })

  test('closing within a limit cuts what is not done by then, and the server rolls it back', async () => {
    const mysql = connect(1)
    const [session] = await mysql.rows<{ id: string }>('SELECT CONNECTION_ID() AS id')
    const stuck = mysql.inTransaction(async transaction => {
      await transaction.write('UPDATE t SET n = -1 WHERE id = 2')
      await transaction.rows('SELECT SLEEP(600)')
    })
    // It waits for the connection, and would have it when the other one's is cut.
    const next = mysql.rows('SELECT SLEEP(600)')
    const outcomes = await Promise.allSettled([stuck, next, mysql.close(300)])
    const cut = { status: 'rejected', reason: { category: 'unavailable' } }
    expect(outcomes).toMatchObject([cut, cut, { status: 'fulfilled' }])
    await ended(session)
    expect(await valueOf(2)).not.toBe(-1)
  })
})

async function ended(session: { id: string } | undefined): Promise<void> {
  await eventually(
    async () => {
      const alive = await database.root.rows('SELECT id FROM information_schema.processlist WHERE id = ?', [
        session?.id,
      ])
      expect(alive).toEqual([])
    },
    { what: 'the connection to end' },
  )
}
