/** Where a reader stands in a table that is read in the order of (updated_at, key), and the arithmetic of its times. */

/** Everything before it has been read. `key` has a value for each key column; none at all = before every key of that moment. */
export interface Position {
  /** `2026-11-23 12:00:00.123456`: always with six digits, so that texts compare as the moments do. */
  readonly updatedAt: string
  readonly key: readonly string[]
}

/** Before every row. 1970 and not the year 0, because TIMESTAMP columns begin there. */
export const beginning: Position = { updatedAt: '1970-01-01 00:00:01.000000', key: [] }

/**
 * The position before every row that was changed at `micros` or later. The column may show an earlier time for such a row: it rounds down
 * to a multiple of `stepMicros`.
 */
export function before(micros: number, stepMicros: number): Position {
  return { updatedAt: datetimeOf(micros - (micros % stepMicros)), key: [] }
}

/**
 * The one that less has been read at. Two positions within the same moment are not compared by key, which only the database can do:
 * the one before every key of it counts as earlier.
 */
export function earlier(a: Position, b: Position): Position {
  if (a.updatedAt !== b.updatedAt) return a.updatedAt < b.updatedAt ? a : b
  return a.key.length === 0 ? a : b
}

/** A DATETIME of any precision as microseconds since 1970. Exact: they stay below 2^53 until the year 2255. */
export function microsOf(datetime: string): number {
  const text = withMicroseconds(datetime)
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11, 23)}Z`) * 1000 + Number(text.slice(23))
}

/** The other way round: a DATETIME(6). A fraction of a microsecond, as the reckoning with a process's own clock leaves it, is cut off. */
export function datetimeOf(micros: number): string {
  const millis = Math.floor(micros / 1000)
  const iso = new Date(millis).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${String(Math.floor(micros) - millis * 1000).padStart(3, '0')}`
}

/** `2026-11-23 12:00:00` or `2026-11-23 12:00:00.5` with all six digits of its second. */
export function withMicroseconds(datetime: string): string {
  if (datetime.length === 26) return datetime
  return datetime.length === 19 ? `${datetime}.000000` : datetime.padEnd(26, '0')
}
