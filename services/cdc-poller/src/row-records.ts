/** A row as the records that tell of it: its state as JSON, and for a deleted one a tombstone after it. */
import { hash } from 'node:crypto'
import { HEADERS } from '@kafka-pattern/events'
import { withMicroseconds } from './position.ts'
import { isDeleted, keyOf, versionOf } from './source-table.ts'
import type { SourceTable, TableDescription } from './source-table.ts'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'
import type { Row } from '@kafka-pattern/mysql-config'

/** The header `event-type`. A table says what a row is now, not what somebody did to it. */
export const rowEventTypes = { changed: 'RowChanged', deleted: 'RowDeleted' } as const

/**
 * Makes the function that turns a row into records for `topic`, in the order in which they must be stored. Equal states give equal
 * records, with the same `id`: a consumer may drop what it has seen.
 */
export function createRowRecords(
  { description, columns }: Pick<SourceTable, 'description' | 'columns'>,
  topic: string,
): (row: Row) => OutgoingRecord[] {
  const fields = columns.map(({ name, type }) => ({ name, toJson: toJsonOf(type) }))
  // One array for all rows, joined at once: adding piece by piece leaves a chain of twenty strings to be made flat and collected.
  const pieces = fields.flatMap(({ name }, index) => [
    `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`,
    '(its value)',
  ])
  pieces.push('}')

  return row => {
    for (let index = 0; index < fields.length; index++) {
      const { name, toJson } = fields[index]!
      const column = row[name]
      pieces[2 * index + 1] = column === null ? 'null' : toJson(column)
    }
    const value = pieces.join('')
    const deleted = isDeleted(row, description)
    const key = recordKeyOf(row, description)
    const state = `${description.table}/${key}/${versionOf(row, description)}`
    const headers = {
      [HEADERS.id]: uuidOf(state),
      [HEADERS.eventType]: deleted ? rowEventTypes.deleted : rowEventTypes.changed,
      [HEADERS.contentType]: 'application/json',
    }
    const records: OutgoingRecord[] = [{ topic, key, value, headers }]
    if (deleted) {
      // An event of its own: whoever remembers ids must not take it for a repetition of the state.
      const id = uuidOf(`${state}/tombstone`)
      records.push({ topic, key, value: null, headers: { ...headers, [HEADERS.id]: id } })
    }
    return records
  }
}

/** The record's key: the value of the key column as it is, or of several columns a JSON array. */
export function recordKeyOf(row: Row, description: TableDescription): string {
  const { keyColumns } = description
  return keyColumns.length === 1 ? String(row[keyColumns[0]!]) : JSON.stringify(keyOf(row, description))
}

/** Pure: how a column of a type becomes JSON, for values as mysql-config gives them; never called with null. */
export function toJsonOf(type: string): (value: unknown) => string {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'year':
    case 'float':
    case 'double':
      return String
    case 'bigint':
      return bigintToJson
    case 'datetime':
    case 'timestamp':
      return datetimeToJson
    default:
      // Bytes become base64; DECIMAL, DATE, TIME and JSON stay the texts that they are, with nothing rounded.
      return value => JSON.stringify(Buffer.isBuffer(value) ? value.toString('base64') : String(value))
  }
}

/** A number where every reader of JSON gets the same one, else a text. */
function bigintToJson(value: unknown): string {
  const digits = String(value)
  return Number.isSafeInteger(Number(digits)) ? digits : `"${digits}"`
}

function datetimeToJson(value: unknown): string {
  const datetime = withMicroseconds(String(value))
  return `"${datetime.slice(0, 10)}T${datetime.slice(11)}Z"`
}

/** Sixteen bytes, and never others: whoever remembers ids would take every state for a new one. */
const namespace = 'cdc-poller/state'

/** Where the next uuid is put together: pieces of strings would be ten more objects to collect for each. */
const uuid = Buffer.from('00000000-0000-0000-0000-000000000000')
const digitPositions = [...uuid.keys()].filter(position => uuid[position] !== '-'.charCodeAt(0))
/** The upper two bits of this digit are the variant: 10. */
const variants = Buffer.from('89ab')

/** Version 5 of RFC 9562, section 5.5: the same name gives the same uuid, in every process. */
function uuidOf(name: string): string {
  const digits = hash('sha1', namespace + name, 'hex')
  for (let index = 0; index < digitPositions.length; index++) {
    uuid[digitPositions[index]!] = digits.charCodeAt(index)
  }
  uuid[14] = '5'.charCodeAt(0)
  uuid[19] = variants[Number.parseInt(digits[16]!, 16) % variants.length]!
  return uuid.toString('latin1')
}
