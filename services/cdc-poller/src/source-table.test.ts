import { expect, test } from 'vitest'
import { after } from './source-table.ts'
import type { TableDescription } from './source-table.ts'

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
