import { UserState, parseRecordValue } from '@kafka-pattern/events'
import { expect, test } from 'vitest'
import { createRowRecords, toJsonOf } from './row-records.ts'
import type { Column, TableDescription } from './source-table.ts'
import type { Row } from '@kafka-pattern/mysql-config'

const description: TableDescription = {
  table: 'users',
  keyColumns: ['id'],
  updatedAtColumn: 'updated_at',
  versionColumn: 'version',
  deletedAtColumn: 'deleted_at',
}
const columns: Column[] = [
  { name: 'id', type: 'char' },
  { name: 'name', type: 'varchar' },
  { name: 'level', type: 'tinyint' },
  { name: 'version', type: 'bigint' },
  { name: 'created_at', type: 'datetime' },
  { name: 'updated_at', type: 'datetime' },
  { name: 'deleted_at', type: 'datetime' },
]
const row: Row = {
  id: '6f1c0f4e-3c1b-4c59-9e54-0b0f6f1a2b3c',
  name: 'Zoë "Z" \\ \u2028',
  level: 7,
  version: '3',
  created_at: '2026-11-23 12:00:00.000000',
  updated_at: '2026-11-23 12:00:01.123456',
  deleted_at: null,
}
const recordsOf = createRowRecords({ description, columns }, 'cdc.users')

test('a row is its state, in the form that consumers of users know', () => {
  const [record, ...others] = recordsOf(row)
  expect(others).toEqual([])
  expect(record).toMatchObject({
    topic: 'cdc.users',
    key: row.id,
    headers: { 'event-type': 'RowChanged', 'content-type': 'application/json' },
  })
  const written = {
    ...row,
    version: 3,
    created_at: '2026-11-23T12:00:00.000000Z',
    updated_at: '2026-11-23T12:00:01.123456Z',
  }
  expect(JSON.parse(String(record!.value))).toEqual(written)
  expect(parseRecordValue(UserState, Buffer.from(String(record!.value)))).toEqual({
    ok: true,
    value: written,
  })
})

test('a deleted row is its last state, then a tombstone', () => {
  const [state, tombstone, ...others] = recordsOf({ ...row, deleted_at: '2026-11-23 12:00:01.123456' })
  expect(others).toEqual([])
  expect(JSON.parse(String(state!.value))).toMatchObject({ deleted_at: '2026-11-23T12:00:01.123456Z' })
  expect(tombstone).toMatchObject({ key: row.id, value: null, headers: { 'event-type': 'RowDeleted' } })
  expect(state!.headers!['event-type']).toBe('RowDeleted')
  expect(tombstone!.headers!.id).not.toBe(state!.headers!.id)
})

const idOf = (changes: Row) => recordsOf({ ...row, ...changes })[0]!.headers!.id
test('the id is a uuid of table, key and version: the same in every process', () => {
  expect(idOf({})).toBe('9b3f970a-154e-5dc4-8fe8-eaf78667481c')
  expect(idOf({ name: 'read again' })).toBe(idOf({}))
  expect(idOf({ version: '4' })).not.toBe(idOf({}))
  expect(idOf({ id: 'x'.repeat(5_000) })).toMatch(
    /^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  )
})

test('several key columns are a JSON array as key; a table without deletes has none', () => {
  const composite = createRowRecords(
    {
      description: { ...description, keyColumns: ['shop', 'id'], deletedAtColumn: null },
      columns: [
        { name: 'shop', type: 'int' },
        { name: 'id', type: 'char' },
        { name: 'version', type: 'int' },
      ],
    },
    'cdc.orders',
  )
  expect(composite({ shop: 5, id: 'a', version: 1, deleted_at: 'x' })).toMatchObject([
    { key: '["5","a"]', value: '{"shop":5,"id":"a","version":1}' },
  ])
})

test.each<[string, unknown, string]>([
  ['int', -5, '-5'],
  ['double', 0.5, '0.5'],
  ['bigint', '9007199254740991', '9007199254740991'],
  ['bigint', '9007199254740993', '"9007199254740993"'],
  ['bigint', '-9223372036854775808', '"-9223372036854775808"'],
  ['decimal', '10.10', '"10.10"'],
  ['datetime', '2026-11-23 12:00:00', '"2026-11-23T12:00:00.000000Z"'],
  ['timestamp', '2026-11-23 12:00:00.5', '"2026-11-23T12:00:00.500000Z"'],
  ['date', '2026-11-23', '"2026-11-23"'],
  ['blob', Buffer.from([0xff, 0x00]), '"/wA="'],
  ['json', '{"a": 1}', '"{\\"a\\": 1}"'],
  ['varchar', 'a\n"b"', '"a\\n\\"b\\""'],
])('%s %o becomes %s', (type, value, json) => {
  expect(toJsonOf(type)(value)).toBe(json)
})
