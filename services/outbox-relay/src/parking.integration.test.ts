import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test, vi } from 'vitest'
import { requireLanes } from './lane-leases.ts'
import { parkRows, parkedSeqs } from './parking.ts'
import { insertEvents, openTransaction } from './test-relay.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { TestDatabase } from '@kafka-pattern/test-kit'

const lease = { lane: 0, owner: 'relay' }

async function setUp(rows: number): Promise<{ database: TestDatabase; mysql: Mysql }> {
  const database = await createDatabase()
  const mysql = database.connect('outbox-relay')
  await requireLanes(mysql, 1)
  await mysql.write('UPDATE relay_leases SET owner = ?', [lease.owner])
  await insertRows(database, rows)
  return { database, mysql }
}

const insertRows = ({ root }: TestDatabase, count: number): Promise<void> =>
  insertEvents(
    root,
    'user',
    Array.from({ length: count }, (_, i) => ({ aggregateid: `a-${i}`, version: 1 })),
  )

test('a parked row is known again, and the row of its number in a table that was begun anew is another one', async () => {
  const { database, mysql } = await setUp(3)
  const { root } = database
  await parkRows(mysql, lease, [{ seq: 2, reason: 'too large', attempts: 5 }])
  await root.write("UPDATE relay_parked SET parked_at = '2026-01-01'")
  expect(await parkedSeqs(mysql, 1)).toEqual(new Set([2]))
  expect(await parkedSeqs(mysql, 3)).toEqual(new Set())

  await root.write('TRUNCATE outbox')
  await insertRows(database, 3)
  expect(await parkedSeqs(mysql, 1)).toEqual(new Set())

  await root.write("UPDATE outbox SET aggregateid = 'new', payload = '[1]' WHERE seq = 2")
  await parkRows(mysql, lease, [{ seq: 2, reason: 'refused', attempts: 1 }])
  expect(await parkedSeqs(mysql, 1)).toEqual(new Set([2]))
  const copies = () =>
    root.rows(
      "SELECT aggregateid, payload, error, attempts, IF(parked_at > '2026-01-02', 'yes', 'no') AS anew FROM relay_parked",
    )
  expect(await copies()).toEqual([
    { aggregateid: 'new', payload: '[1]', error: 'refused', attempts: 1, anew: 'yes' },
  ])

  await root.write("UPDATE relay_parked SET parked_at = '2026-01-01'")
  await parkRows(mysql, lease, [{ seq: 2, reason: 'refused again', attempts: 2 }])
  expect(await copies()).toMatchObject([{ error: 'refused again', attempts: 2, anew: 'no' }])
})

test('many rows are parked with few statements, and wait for no transaction that writes', async () => {
  const { database, mysql } = await setUp(300)
  const open = await openTransaction({ database }, connection =>
    insertEvents(connection, 'user', [{ aggregateid: 'open', version: 1 }]),
  )
  const statements = vi.fn<(sql: string) => void>()
  const counting: Mysql = {
    ...mysql,
    inTransaction: work =>
      mysql.inTransaction(transaction =>
        work({
          ...transaction,
          write: (sql, values) => {
            statements(sql)
            return transaction.write(sql, values)
          },
        }),
      ),
  }
  const rows = Array.from({ length: 300 }, (_, i) => ({
    seq: i + 1,
    reason: i < 100 ? 'too large' : 'refused',
    attempts: 1,
  }))
  expect(await parkRows(counting, lease, rows)).toBe(true)
  expect(statements).toHaveBeenCalledTimes(3)
  expect(await parkedSeqs(mysql, 1)).toEqual(new Set(rows.map(({ seq }) => seq)))
  await open.end('ROLLBACK')
})
