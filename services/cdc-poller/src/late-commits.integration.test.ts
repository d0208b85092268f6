/** Rows that become visible behind rows which were read long before, made by a real server in all the ways that it has. */
import { eventually, startOwnMysql } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { allPublished, insertUsers, newSetting, newUsers } from './test-changes.ts'
import type { Setting } from './test-changes.ts'

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

class RolledBack extends Error {}

/** A scan of the table, which is what a server may choose while it is small, would lock the rows of all others, again and again. */
const changeUsers = 'UPDATE users FORCE INDEX (PRIMARY) SET version = version + 1 WHERE id IN (?)'

/**
 * A writer with one transaction after the other, open for up to `longestMs`: rows that are new, rows of others' that it changes, many of them
 * at once; one transaction of ten is rolled back. Returns how many rows it has written when `until` is true.
 */
async function writeTransactions(
  { database }: Setting,
  { longestMs, statementRows, until }: { longestMs: number; statementRows: number; until: () => boolean },
  wrote: (rows: number) => void,
): Promise<void> {
  const own = newUsers(500)
  await database.root.write(insertUsers, [own])
  while (!until()) {
    let rows = 0
    try {
      await database.root.inTransaction(async transaction => {
        rows = 0
        const begunAtMs = performance.now()
        const openMs = Math.random() * longestMs
        do {
          await transaction.write(insertUsers, [newUsers(statementRows)])
          const from = Math.floor(Math.random() * 400)
          const changed = own.slice(from, from + 100).map(([id]) => id)
          await transaction.write(changeUsers, [changed])
          rows += statementRows + changed.length
          await pause(Math.random() * (openMs / 2))
        } while (performance.now() - begunAtMs < openMs)
        if (Math.random() < 0.1) throw new RolledBack()
      })
      wrote(rows)
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error
    }
  }
}

test(
  '8 writers, transactions up to 2 s, rollbacks, 100,000 rows: none lost, none of a rollback, order per key kept, none twice',
  { timeout: 300_000 },
  async () => {
    const setting = await newSetting()
    await setting.start()
    let written = 0
    const writers = Array.from({ length: 8 }, () =>
      writeTransactions(
        setting,
        { longestMs: 2_000, statementRows: 1_000, until: () => written >= 100_000 },
        rows => (written += rows),
      ),
    )
    await Promise.all(writers)
    const { turnedRound, last, duplicates } = await allPublished(setting, 120_000)
    const [row] = await setting.database.root.rows<{ count: number }>('SELECT COUNT(*) AS count FROM users')
    expect(last.size).toBe(Number(row?.count))
    expect(turnedRound).toEqual([])
    expect(duplicates).toBe(0)
  },
)

test('the naive cursor loses rows under the same writers', async () => {
  const setting = await newSetting()
  const service = await setting.start({ POLLER_CURSOR: 'naive' })
  let written = 0
  const writers = Array.from({ length: 4 }, () =>
    writeTransactions(
      setting,
      { longestMs: 500, statementRows: 50, until: () => written >= 5_000 },
      rows => (written += rows),
    ),
  )
  // Whatever it will ever find it has found when it has found the newest row.
  const insertAndFind = async (marker: ReturnType<typeof newUsers>) => {
    await setting.database.root.write(insertUsers, [marker])
    return eventually(
      async () => {
        const published = await setting.published()
        expect(published.last.has(marker[0]![0])).toBe(true)
        return published
      },
      { what: 'the newest row' },
    )
  }
  // How often it is overtaken by the writers depends on the machine; by this one, it is.
  await setting.database.root.inTransaction(async transaction => {
    await transaction.write(insertUsers, [newUsers(1)])
    await Promise.all(writers)
    await insertAndFind(newUsers(1))
  })
  const { last } = await insertAndFind(newUsers(1))
  const rows = await setting.database.root.rows<{ id: string; version: string }>(
    'SELECT id, version FROM users',
  )
  const lost = rows.filter(({ id, version }) => last.get(id) !== Number(version))
  expect(lost.length).toBeGreaterThan(0)
  expect(service.exit).toBe(null)
})

test('a statement that waited before its transaction began has the time of its beginning, and is not lost', async () => {
  const setting = await newSetting()
  const { root } = setting.database
  await setting.start()
  const [waiting = ['', '', 0, 0], other = ['', '', 0, 0], marker = ['', '', 0, 0]] = newUsers(3)
  await root.write(insertUsers, [[waiting, other]])
  await allPublished(setting)

  let write: Promise<unknown> = Promise.resolve()
  const committed = Promise.withResolvers<void>()
  await root.withConnection(async locker => {
    await locker.write('LOCK TABLES users READ')
    // The statement begins now; its transaction, which stays open for a while, when the lock is gone.
    write = root.inTransaction(async transaction => {
      await transaction.write('UPDATE users SET version = 2 WHERE id = ?', [waiting[0]])
      await committed.promise
    })
    const waits = `SELECT id FROM information_schema.processlist WHERE db = ? AND info LIKE 'UPDATE users%'`
    await eventually(async () => expect(await root.rows(waits, [setting.database.name])).toHaveLength(1), {
      what: 'the statement to wait',
    })
    await pause(4_000)
    await locker.write('UNLOCK TABLES')
  })
  await root.write(insertUsers, [[marker]])
  await eventually(async () => expect((await setting.published()).last.has(marker[0])).toBe(true), {
    what: 'a later row',
  })
  // Several looks see the transaction and no statement that waits.
  await pause(2_000)
  committed.resolve()
  await write
  const [row] = await root.rows<{ behind: string }>(
    `SELECT TIMESTAMPDIFF(SECOND, (SELECT updated_at FROM users WHERE id = '${waiting[0]}'), updated_at) AS behind FROM users WHERE id = '${marker[0]}'`,
  )
  expect(Number(row?.behind)).toBeGreaterThanOrEqual(3)
  await allPublished(setting)
})

test('rows whose time is behind the clock, as after a step back: within the overlap none is lost', async () => {
  const setting = await newSetting()
  const { root } = setting.database
  // Far above the four seconds: what passes between the setting of the time and the commit counts, too.
  await setting.start({ OVERLAP_MS: '60000' })
  const users = newUsers(20)
  await root.write(insertUsers, [users])
  await allPublished(setting)
  await root.withConnection(async writer => {
    for (const [id] of users) {
      await writer.write('SET timestamp = UNIX_TIMESTAMP(NOW(6)) - 4')
      await writer.write('UPDATE users SET version = version + 1 WHERE id = ?', [id])
      await writer.write('SET timestamp = DEFAULT')
    }
  })
  const { turnedRound } = await allPublished(setting)
  expect(turnedRound).toEqual([])
})

test('another program that reads the open transactions all the time cannot hide them', async () => {
  // Of its own: on this server nobody sees them meanwhile.
  const setting = await newSetting({ mysql: await startOwnMysql() })
  const { root } = setting.database
  await setting.start()
  await root.write(insertUsers, [newUsers(1)])
  await allPublished(setting)
  const ended = new AbortController()
  // So often that the server never fills its list anew: whoever believes it sees no transaction that began since.
  const readAllTheTime = async () => {
    while (!ended.signal.aborted) {
      await root.rows('SELECT COUNT(*) FROM information_schema.innodb_trx')
      await pause(20)
    }
  }
  const readers = Promise.all([readAllTheTime(), readAllTheTime(), readAllTheTime()])
  try {
    const late = newUsers(10)
    await root.inTransaction(async transaction => {
      await transaction.write(insertUsers, [late])
      await pause(3_000)
      await root.write(insertUsers, [newUsers(10)])
      await eventually(async () => expect((await setting.published()).last.size).toBe(11), {
        what: 'the others',
      })
    })
  } finally {
    ended.abort()
    await readers
  }
  await allPublished(setting)
})
