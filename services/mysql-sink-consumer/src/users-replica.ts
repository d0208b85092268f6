/**
 * The replica, a table like users_replica: how the states of users get into it.
 * Guarantees: a row never goes back to an older version, whatever comes again or late; a deleted user stays as a row with its version,
 * so that no older state brings it back; a state that the table refuses is found among the thousands it came with.
 */
import {
  SchemaError,
  classifyMysqlError,
  datetimeFromIso,
  quoteText,
  sqlText,
} from '@kafka-pattern/mysql-config'
import type { UserState } from '@kafka-pattern/events'
import type { Queryable } from '@kafka-pattern/mysql-config'
import type { Changes, StateRecord, Tombstone } from './read-changes.ts'

/** How many rows a write changed. */
export interface Written {
  readonly upserted: number
  /** By a state that says so, or by a tombstone alone. */
  readonly deleted: number
  /** Of those, by a tombstone alone. */
  readonly buried: number
  /** States that the replica had already, or newer ones. */
  readonly stale: number
}

export interface RefusedState extends StateRecord {
  /** What the database says of it. */
  readonly error: unknown
}

/** The table refuses some of the states, each for reasons of its own. The transaction must be rolled back. */
export class StatesRefusedError extends Error {
  override readonly name = 'StatesRefusedError'
  readonly refused: readonly RefusedState[]

  constructor(refused: readonly RefusedState[]) {
    super(`the table refuses ${refused.length} states`)
    this.refused = refused
  }
}

/**
 * Writes the changes in a transaction of the caller's, on a connection that counts changed rows (`affectedRows: 'changed'`).
 * @throws StatesRefusedError when a constraint or a type refuses some of them
 */
export async function writeChanges(
  transaction: Queryable,
  table: string,
  changes: Changes,
): Promise<Written> {
  const refused: RefusedState[] = []
  const alive = await upsert(transaction, table, changes.alive, refused)
  const deleted = await upsert(transaction, table, changes.deleted, refused)
  const buried = await bury(transaction, table, changes.tombstones)
  if (refused.length > 0) throw new StatesRefusedError(refused)
  return {
    upserted: alive,
    deleted: deleted + buried,
    buried,
    stale: changes.alive.length + changes.deleted.length - alive - deleted,
  }
}

/**
 * Returns how many of the states were newer than their rows. When the table refuses them they are halved until those that it refuses
 * are alone: a statement that fails changes nothing and leaves its transaction open.
 */
async function upsert(
  transaction: Queryable,
  table: string,
  states: readonly StateRecord[],
  refused: RefusedState[],
): Promise<number> {
  const [first] = states
  if (first === undefined) return 0
  try {
    const { affectedRows, info } = await writeStates(transaction, table, states)
    return changedRows(affectedRows, info)
  } catch (error) {
    if (classifyMysqlError(error) !== 'data') throw error
    if (states.length === 1) {
      refused.push({ ...first, error })
      return 0
    }
    const middle = states.length >>> 1
    const left = await upsert(transaction, table, states.slice(0, middle), refused)
    return left + (await upsert(transaction, table, states.slice(middle), refused))
  }
}

/**
 * `affectedRows` counts an inserted row once and a changed one twice, `Duplicates` the changed ones. Of a single row the server says
 * no `Duplicates`.
 */
function changedRows(affectedRows: number, info: string): number {
  const duplicates = /Duplicates: (\d+)/.exec(info)?.[1]
  return duplicates === undefined ? Math.min(affectedRows, 1) : affectedRows - Number(duplicates)
}

/**
 * `VALUES(column)` is what would have been inserted; the form that MySQL prefers by now (`AS new`) does not exist in MariaDB.
 * The assignments are made one after the other, and each one sees those before it: `version` must come last, or those
 * after it would compare the new version with itself.
 */
const columns = ['name', 'level', 'created_at', 'updated_at', 'deleted_at', 'version']
const assignments = columns
  .map(column => `${column} = IF(VALUES(version) > version, VALUES(${column}), ${column})`)
  .join(', ')

/** One statement for thousands of rows, put together by hand: there is no cheaper way through the client and the server. */
function writeStates(
  transaction: Queryable,
  table: string,
  states: readonly StateRecord[],
): Promise<{ affectedRows: number; info: string }> {
  const rows = states.map(({ state }) => literalRow(state)).join(',')
  return transaction.write(
    `INSERT INTO ${table} (id, ${columns.join(', ')}) VALUES ? ON DUPLICATE KEY UPDATE ${assignments}`,
    [sqlText(rows)],
  )
}

/** What the schema has checked cannot hold a quote; only the name is free text. */
function literalRow({ id, name, level, created_at, updated_at, deleted_at, version }: UserState): string {
  const [createdAt, updatedAt] = [datetimeFromIso(created_at), datetimeFromIso(updated_at)]
  const deletedAt = deleted_at === null ? 'NULL' : `'${datetimeFromIso(deleted_at)}'`
  return `('${id}',${quoteText(name)},${level},'${createdAt}','${updatedAt}',${deletedAt},${version})`
}

/** A name has 200 units of UTF-16, of three bytes at most; the rest is ASCII. */
const longestRowBytes = 800
const restOfStatementBytes = 2_000

/**
 * A server closes the connection over a statement that is larger than it takes, which looks as if it were away, again and again.
 * @throws SchemaError when a batch of so many rows may be
 */
export async function requireRoomForBatch(mysql: Queryable, batchSize: number): Promise<void> {
  const needed = batchSize * longestRowBytes + restOfStatementBytes
  const [found] = await mysql.rows<{ limit: string }>('SELECT @@max_allowed_packet AS `limit`')
  const limit = Number(found?.limit)
  if (limit >= needed) return
  throw new SchemaError(
    `the server's max_allowed_packet is ${limit}, but a batch may take ${needed} bytes: raise it, or set BATCH_SIZE to ${Math.max(1, Math.floor((limit - restOfStatementBytes) / longestRowBytes))} at most`,
  )
}

/** The last millisecond that a DATETIME can hold. */
const lastMomentMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/**
 * A tombstone follows the last state of a deleted user and says nothing new. Unless compaction has removed that state before it was
 * read: then it is all that tells of the deletion. A row that was changed after it is another matter: in a replay it is younger.
 */
async function bury(
  transaction: Queryable,
  table: string,
  tombstones: readonly Tombstone[],
): Promise<number> {
  let buried = 0
  for (const [timestampMs, together] of Map.groupBy(tombstones, each => each.timestampMs)) {
    // Before 1970 is Kafka's way of saying that it does not know. Microseconds, which a topic may take, are later than any DATETIME;
    // nanoseconds also than any Date.
    const at = new Date(Math.min(Math.max(0, timestampMs), lastMomentMs)).toISOString().slice(0, -1)
    const { affectedRows } = await transaction.write(
      `UPDATE ${table} SET deleted_at = ? WHERE id IN (?) AND deleted_at IS NULL AND updated_at < ?`,
      [at, together.map(({ id }) => id), at],
    )
    buried += affectedRows
  }
  return buried
}
