import { expect, test } from 'vitest'
import { beginning } from './position.ts'
import { after, openSourceTable } from './source-table.ts'
import type { TableDescription } from './source-table.ts'
import type { LimitedRows, Mysql, Row } from '@kafka-pattern/mysql-config'

const users: TableDescription = {
  table: 'users',
  keyColumns: ['id'],
  updatedAtColumn: 'updated_at',
  versionColumn: 'version',
  deletedAtColumn: null,
}
const moment = '2026-11-23 12:00:00.123456'

test.each<[string, TableDescription, string[], string, string[]]>([
  ['before all keys of a moment', users, [], '`updated_at` >= ?', [moment]],
  ['after a key', users, ['a'], '`updated_at` > ? OR (`updated_at` = ? AND `id` > ?)', [moment, moment, 'a']],
  [
    'after a key of two columns',
    { ...users, keyColumns: ['shop', 'id'] },
    ['5', 'a'],
    '`updated_at` > ? OR (`updated_at` = ? AND `shop` > ?) OR (`updated_at` = ? AND `shop` = ? AND `id` > ?)',
    [moment, moment, '5', moment, '5', 'a'],
  ],
])('rows %s', (_name, description, key, condition, values) => {
  expect(after({ updatedAt: moment, key }, description)).toEqual({ condition, values })
})

/** A database with users, as its information_schema describes them; their pages come when the test says so. */
function databaseWithUsers(secondDigits: number) {
  const columns = ['id', 'version', 'updated_at'].map(name => ({
    name,
    type: name === 'updated_at' ? 'datetime' : 'bigint',
    nullable: 'NO',
    digits: name === 'updated_at' ? secondDigits : null,
  }))
  const rows = async (sql: string) => {
    if (sql.includes('information_schema.columns')) return columns
    return ['updated_at', 'id'].map(column => ({ name: 'PRIMARY', column }))
  }
  const pages: PromiseWithResolvers<LimitedRows<Row>>[] = []
  const limitedRows = () => {
    const page = Promise.withResolvers<LimitedRows<Row>>()
    pages.push(page)
    return page.promise
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  return { mysql: { rows, limitedRows } as unknown as Mysql, pages }
}

const limits = { pageRows: 2, pageBytes: 1_000 }

test.each([
  [0, 1_000_000],
  [3, 1_000],
  [6, 1],
])('a column with %i digits of a second holds every %i microseconds', async (digits, stepMicros) => {
  const table = await openSourceTable(databaseWithUsers(digits).mysql, users, limits)
  expect(table.updatedAtStepMicros).toBe(stepMicros)
})

test('a page is full when it has the rows that were asked for, whatever another read has found meanwhile', async () => {
  const { mysql, pages } = databaseWithUsers(6)
  const table = await openSourceTable(mysql, users, limits)
  const row = { id: 1, version: 1, updated_at: moment }
  const asked = table.pageAfter(beginning)
  const meanwhile = table.pageAfter(beginning)
  // Large rows: the next page takes one only.
  pages[1]?.resolve({ rows: [row], sizeBytes: 900, cut: false })
  expect(await meanwhile).toMatchObject({ isFull: false })
  pages[0]?.resolve({ rows: [row, row], sizeBytes: 10, cut: false })
  expect(await asked).toMatchObject({ isFull: true })
})
