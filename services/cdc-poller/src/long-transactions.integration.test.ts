/** Transactions that stay open while the poller reads on: how long is no matter. */
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '@kafka-pattern/test-kit'
import { describe, expect, test } from 'vitest'
import { allPublished, insertUsers, killAndFreeLease, newSetting, newUsers } from './test-changes.ts'
import type { Setting } from './test-changes.ts'

async function cursorAge({ database }: Setting): Promise<number> {
  const [row] = await database.root.rows<{ age: string }>(
    'SELECT TIMESTAMPDIFF(MICROSECOND, cursor_updated_at, NOW(6)) / 1000000 AS age FROM poller_cursors',
  )
  return Number(row?.age)
}

describe('a transaction that is open for long', () => {
  const openMs = 60_000

  test(
    'for a minute, while thousands commit: nobody waits for it, its rows come after its commit, none is read again meanwhile',
    { timeout: 500_000 },
    async () => {
      const setting = await newSetting()
      const { root } = setting.database
      await setting.start()
      const late = newUsers(500)
      await root.inTransaction(async transaction => {
        await transaction.write(insertUsers, [late])
        const openUntilMs = performance.now() + openMs
        let committed = 0
        while (performance.now() < openUntilMs || committed < 2_000) {
          await root.write(insertUsers, [newUsers(100)])
          committed += 100
          // Thousands, but fewer than are remembered: what more would do is the next test's claim.
          await delay(200)
        }
        // Everybody else's rows are there while it is still open, and the cursor stands where it began.
        const meanwhile = await allPublished(setting)
        expect(late.filter(([id]) => meanwhile.last.has(id))).toEqual([])
        expect(await cursorAge(setting)).toBeGreaterThan(openMs / 1_000)
      })
      const { duplicates, turnedRound } = await allPublished(setting)
      expect(duplicates).toBe(0)
      expect(turnedRound).toEqual([])
      await eventually(async () => expect(await cursorAge(setting)).toBeLessThan(openMs / 1_000), {
        what: 'the cursor to move on',
        // Of other tests, too, something may be open on this server for a minute and more.
        timeoutMs: 240_000,
      })
    },
  )

  test('a transaction that has read the time under a lock, and writes it seconds later, is waited for', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const [user = ['', '', 0, 0]] = newUsers(1)
    await root.write(insertUsers, [[user]])
    await setting.start()
    await allPublished(setting)
    await root.inTransaction(async transaction => {
      const [locked] = await transaction.rows<{ now: string }>(
        'SELECT SYSDATE(6) AS now FROM users WHERE id = ? FOR UPDATE',
        [user[0]],
      )
      // Longer than what is read again in any case (OVERLAP_MS).
      await delay(4_000)
      await transaction.write('UPDATE users SET version = 2, updated_at = ? WHERE id = ?', [
        locked?.now,
        user[0],
      ])
    })
    await eventually(async () => expect((await setting.published()).last.get(user[0])).toBe(2), {
      what: 'its version 2',
    })
  })

  test('more rows than are remembered: they come twice, none is lost', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    await setting.start({ REMEMBERED_ROWS: '1000' })
    const late = newUsers(10)
    await root.inTransaction(async transaction => {
      await transaction.write(insertUsers, [late])
      for (let n = 0; n < 20; n++) await root.write(insertUsers, [newUsers(100)])
      await eventually(async () => expect((await setting.published()).last.size).toBe(2_000), {
        what: 'the others',
      })
    })
    const { duplicates } = await allPublished(setting)
    expect(duplicates).toBeGreaterThan(0)
  })

  test('it is waited for over a restart too: the cursor was stored where it began', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const killed = await setting.start()
    const late = newUsers(10)
    await root.inTransaction(async transaction => {
      await transaction.write(insertUsers, [late])
      await delay(3_000)
      await root.write(insertUsers, [newUsers(100)])
      await allPublished(setting)
      await killAndFreeLease(killed, setting)
    })
    await setting.start()
    const { last } = await allPublished(setting)
    expect(late.filter(([id]) => !last.has(id))).toEqual([])
  })

  test('a prepared transaction (XA), whose session is gone, is waited for by those that saw it begin and by those that did not', async () => {
    const setting = await newSetting()
    const { root } = setting.database
    const killed = await setting.start()
    const late = newUsers(10)
    const xid = `'${setting.topic}'`
    await root
      .withConnection(async connection => {
        await connection.write(`XA START ${xid}`)
        await connection.write(insertUsers, [late])
        await connection.write(`XA END ${xid}`)
        await connection.write(`XA PREPARE ${xid}`)
        await delay(1_500)
        throw new Error('the session goes')
      })
      .catch(() => {})
    await root.write(insertUsers, [newUsers(10)])
    await allPublished(setting)
    await delay(3_000)
    await killAndFreeLease(killed, setting)
    await setting.start()
    await root.write(insertUsers, [newUsers(10)])
    await allPublished(setting)
    await delay(3_000)
    await root.write(`XA COMMIT ${xid}`)
    const { last } = await allPublished(setting)
    expect(late.filter(([id]) => !last.has(id))).toEqual([])
  })
})
