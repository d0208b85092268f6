/** The table that is followed: checked once, then read page by page along its index (updated_at, key). */
import { classifyMysqlError, rowsOfHalf, SchemaError } from '@kafka-pattern/mysql-config'
import { withMicroseconds } from './position.ts'
import type { Position } from './position.ts'
import type { Mysql, Row } from '@kafka-pattern/mysql-config'

/** The settings that describe the table. */
export interface TableDescription {
  readonly table: string
  readonly keyColumns: readonly string[]
  readonly updatedAtColumn: string
  readonly versionColumn: string
  /** null: rows of this table are never deleted. */
  readonly deletedAtColumn: string | null
}

export interface Column {
  readonly name: string
  /** `data_type` of information_schema.columns, such as `bigint`. */
  readonly type: string
}

export interface Page {
  readonly rows: readonly Row[]
  /** After the last row; where the page began when it has none. */
  readonly end: Position
  /** There were as many rows or bytes as a page takes, so there may be more. */
  readonly isFull: boolean
}

export interface SourceTable {
  readonly description: TableDescription
  readonly columns: readonly Column[]
  /** `updated_at` holds no moment between two multiples of it: a million microseconds for DATETIME, 1 for DATETIME(6). */
  readonly updatedAtStepMicros: number
  /** The committed rows after `position`, in the order of (updated_at, key). */
  pageAfter(position: Position): Promise<Page>
  /** The committed rows with a later `updated_at`, in its order: all that a naive poller asks for. */
  rowsNewerThan(updatedAt: string): Promise<Row[]>
}

/** What the poller will do beside reading the table, in a form that changes nothing. */
export const neededStatements = [
  'SELECT COUNT(*) FROM information_schema.innodb_trx',
  "INSERT INTO poller_cursors (name, cursor_updated_at, cursor_key) SELECT '', NOW(6), '[]' FROM poller_cursors WHERE FALSE",
  'UPDATE poller_cursors SET epoch = epoch WHERE FALSE',
  'SELECT epoch FROM poller_cursors WHERE FALSE FOR UPDATE',
  "INSERT INTO poller_parked (name, record_key, version, reason) SELECT '', '', '', '' FROM poller_parked WHERE FALSE",
  "DELETE FROM poller_parked WHERE record_key = '' AND FALSE",
]

/**
 * Looks the table up and checks that it can be followed.
 * @param limits of a page; the row that passes `pageBytes` is in it
 * @throws SchemaError with one sentence: what is missing, and what to do
 */
export async function openSourceTable(
  mysql: Mysql,
  description: TableDescription,
  limits: { pageRows: number; pageBytes: number },
): Promise<SourceTable> {
  const { table, keyColumns, updatedAtColumn } = description
  const { pageRows, pageBytes } = limits
  /** Rows of the next page: fewer than `pageRows` when the rows are large. */
  let limit = pageRows
  await requireReadable(mysql, table)
  const { columns, updatedAtStepMicros } = await requireColumns(mysql, description)
  const index = await requireIndex(mysql, description)
  const names = columns.map(({ name }) => quoteName(name)).join(', ')
  const order = [updatedAtColumn, ...keyColumns].map(quoteName).join(', ')
  const time = quoteName(updatedAtColumn)
  const from = `${quoteName(table)} FORCE INDEX (${quoteName(index)})`

  return {
    description,
    columns,
    updatedAtStepMicros,
    async pageAfter(position) {
      const { condition, values } = after(position, description)
      // Another read may change the limit meanwhile: one that a poller left behind when it lost its lease, say.
      const asked = limit
      const page = await mysql.limitedRows(
        `SELECT ${names} FROM ${from} WHERE ${condition} ORDER BY ${order}`,
        values,
        { rows: asked, bytes: pageBytes },
      )
      const { rows } = page
      const isFull = page.cut || rows.length === asked
      // To be cut costs the connection.
      if (rows.length > 0) limit = rowsOfHalf(page, pageBytes, pageRows)
      const last = rows.at(-1)
      const end = last === undefined ? position : positionOf(last, description)
      return { rows, end, isFull }
    },
    rowsNewerThan: updatedAt =>
      mysql.rows(`SELECT ${names} FROM ${from} WHERE ${time} > ? ORDER BY ${time} LIMIT ${pageRows}`, [
        updatedAt,
      ]),
  }
}

/** The row's key, a text for each key column. */
export function keyOf(row: Row, { keyColumns }: TableDescription): string[] {
  return keyColumns.map(column => String(row[column]))
}

export function updatedAtOf(row: Row, { updatedAtColumn }: TableDescription): string {
  return withMicroseconds(String(row[updatedAtColumn]))
}

export function versionOf(row: Row, { versionColumn }: TableDescription): string {
  return String(row[versionColumn])
}

export function isDeleted(row: Row, { deletedAtColumn }: TableDescription): boolean {
  return deletedAtColumn !== null && row[deletedAtColumn] !== null
}

function positionOf(row: Row, description: TableDescription): Position {
  return { updatedAt: updatedAtOf(row, description), key: keyOf(row, description) }
}

/**
 * Pure: the condition that rows come after a position. Not `(updated_at, id) > (?, ?)`, for which neither server walks along the index,
 * nor `updated_at >= ?`: a statement gives all its rows one `updated_at`, and a page would begin by skipping what was read of them.
 */
export function after(
  { updatedAt, key }: Position,
  { updatedAtColumn, keyColumns }: TableDescription,
): { condition: string; values: string[] } {
  const time = quoteName(updatedAtColumn)
  if (key.length === 0) return { condition: `${time} >= ?`, values: [updatedAt] }
  const ranges = [{ condition: `${time} > ?`, values: [updatedAt] }]
  for (let length = 0; length < keyColumns.length; length++) {
    const equal = keyColumns.slice(0, length).map(column => `${quoteName(column)} = ?`)
    const parts = [`${time} = ?`, ...equal, `${quoteName(keyColumns[length]!)} > ?`]
    ranges.push({ condition: `(${parts.join(' AND ')})`, values: [updatedAt, ...key.slice(0, length + 1)] })
  }
  return {
    condition: ranges.map(({ condition }) => condition).join(' OR '),
    values: ranges.flatMap(({ values }) => values),
  }
}

async function requireReadable(mysql: Mysql, table: string): Promise<void> {
  try {
    await mysql.rows(`SELECT 1 FROM ${quoteName(table)} LIMIT 0`)
  } catch (error) {
    if (classifyMysqlError(error) !== 'fatal') throw error
    throw new SchemaError(
      `the table ${table} cannot be read (${error instanceof Error ? error.message : String(error)}): set TABLE to one that exists, and grant SELECT on it`,
      error,
    )
  }
}

/** They come as bytes. Made text, those that are no UTF-8 are all one and the same character, and so are rows that differ in them. */
const byteTypes = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit'])

/** The driver takes them apart, and what it makes of them is neither their text nor their bytes. */
const takenApart = new Set([
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geomcollection',
  'geometrycollection',
  'vector',
])

async function requireColumns(
  mysql: Mysql,
  description: TableDescription,
): Promise<Pick<SourceTable, 'columns' | 'updatedAtStepMicros'>> {
  const { table, keyColumns, updatedAtColumn, versionColumn, deletedAtColumn } = description
  const found = await mysql.rows<{ name: string; type: string; nullable: string; digits: unknown }>(
    `SELECT column_name AS name, data_type AS type, is_nullable AS nullable, datetime_precision AS digits
       FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position`,
    [table],
  )
  const byName = new Map(found.map(column => [column.name, column]))
  const wanted = [...keyColumns, updatedAtColumn, versionColumn, deletedAtColumn].filter(
    name => name !== null,
  )
  const missing = wanted.filter(name => !byName.has(name))
  if (missing.length > 0) {
    throw new SchemaError(
      `the table ${table} has no column ${missing.join(', ')} (it has ${[...byName.keys()].join(', ')}): set KEY_COLUMNS, UPDATED_AT_COLUMN, VERSION_COLUMN and DELETED_AT_COLUMN to columns of it`,
    )
  }
  const unreadable = found.filter(({ type }) => takenApart.has(type))
  if (unreadable.length > 0) {
    throw new SchemaError(
      `${unreadable.map(({ name, type }) => `${name} (${type})`).join(', ')} of ${table} cannot be published: keep such columns in a table of their own`,
    )
  }
  const bytes = [...keyColumns, versionColumn].filter(name => byteTypes.has(byName.get(name)!.type))
  if (bytes.length > 0) {
    throw new SchemaError(
      `${bytes.join(', ')} of ${table} holds bytes, and keys and versions are compared as text: set KEY_COLUMNS and VERSION_COLUMN to columns of numbers or text, such as one GENERATED ALWAYS AS (HEX(${bytes[0]})) STORED`,
    )
  }
  const updatedAt = byName.get(updatedAtColumn)!
  if (!['datetime', 'timestamp'].includes(updatedAt.type) || updatedAt.nullable === 'YES') {
    throw new SchemaError(
      `${updatedAtColumn} of ${table} is ${updatedAt.type}${updatedAt.nullable === 'YES' ? ' and may be NULL' : ''}: a row is only found by a DATETIME or TIMESTAMP that is NOT NULL`,
    )
  }
  return {
    columns: found.map(({ name, type }) => ({ name, type })),
    updatedAtStepMicros: 10 ** (6 - Number(updatedAt.digits)),
  }
}

/** InnoDB appends the primary key to every other index, so an index on updated_at alone will do where the key is the primary one. */
async function requireIndex(
  mysql: Mysql,
  { table, keyColumns, updatedAtColumn }: TableDescription,
): Promise<string> {
  const parts = await mysql.rows<{ name: string; column: string }>(
    `SELECT index_name AS name, column_name AS \`column\` FROM information_schema.statistics
       WHERE table_schema = DATABASE() AND table_name = ? ORDER BY index_name, seq_in_index`,
    [table],
  )
  const indexes = Map.groupBy(parts, ({ name }) => name)
  const columnsOf = (name: string) => (indexes.get(name) ?? []).map(({ column }) => column)
  const wanted = [updatedAtColumn, ...keyColumns]
  for (const name of indexes.keys()) {
    const columns = [...new Set([...columnsOf(name), ...columnsOf('PRIMARY')])]
    if (wanted.every((column, index) => columns[index] === column)) return name
  }
  throw new SchemaError(
    `the table ${table} has no index on (${wanted.join(', ')}), so every look would read all of it: create one`,
  )
}

function quoteName(name: string): string {
  return `\`${name}\``
}
