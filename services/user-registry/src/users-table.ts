/** The table `users`. Its moments are the database's own, so that several instances of this service have one clock. */
import { randomUUID } from 'node:crypto'
import { datetimeFromIso, isoFromDatetime } from '@kafka-pattern/mysql-config'
import type { CreateUserRequest, UserState } from '@kafka-pattern/events'
import type { Queryable } from '@kafka-pattern/mysql-config'

type UserRow = {
  id: string
  name: string
  level: number
  version: string
  created_at: string
  updated_at: string
  deleted_at: string | null
}

const columns = 'id, name, level, version, created_at, updated_at, deleted_at'

export async function insertUser(
  transaction: Queryable,
  { name, level }: CreateUserRequest,
): Promise<UserState> {
  const id = randomUUID()
  await transaction.write('INSERT INTO users (id, name, level, version) VALUES (?, ?, ?, 1)', [
    id,
    name,
    level,
  ])
  const [row] = await transaction.rows<UserRow>(`SELECT ${columns} FROM users WHERE id = ?`, [id])
  if (row === undefined) throw new Error(`the user ${id} is not there after it was inserted`)
  return stateOf(row)
}

/**
 * The user, whom nobody else can change until the transaction ends, and the time at which that began: SYSDATE() is the moment of
 * the reading, where NOW() would be that of the asking, before the wait for others. So of two changes the later has the later time.
 */
export async function lockUser(
  transaction: Queryable,
  id: string,
): Promise<{ user: UserState | null; now: string }> {
  const [row] = await transaction.rows<UserRow & { now: string }>(
    `SELECT ${columns}, SYSDATE(6) AS now FROM users WHERE id = ? FOR UPDATE`,
    [id],
  )
  if (row === undefined) return { user: null, now: '' }
  return { user: stateOf(row), now: isoFromDatetime(row.now) }
}

/** The row is locked, so this is the state that the transaction decided upon, whole. */
export async function updateUser(transaction: Queryable, state: UserState): Promise<void> {
  const { name, level, version, updated_at, deleted_at } = state
  await transaction.write(
    'UPDATE users SET name = ?, level = ?, version = ?, updated_at = ?, deleted_at = ? WHERE id = ?',
    [
      name,
      level,
      version,
      datetimeFromIso(updated_at),
      deleted_at === null ? null : datetimeFromIso(deleted_at),
      state.id,
    ],
  )
}

export async function findUser(database: Queryable, id: string): Promise<UserState | null> {
  const [row] = await database.rows<UserRow>(`SELECT ${columns} FROM users WHERE id = ?`, [id])
  return row === undefined ? null : stateOf(row)
}

/** The users whose id comes after `after` in the order of ids, at most `limit`; not the deleted ones. */
export async function listUsers(database: Queryable, after: string, limit: number): Promise<UserState[]> {
  const rows = await database.rows<UserRow>(
    `SELECT ${columns} FROM users WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?`,
    [after, limit],
  )
  return rows.map(stateOf)
}

function stateOf({ id, name, level, version, created_at, updated_at, deleted_at }: UserRow): UserState {
  return {
    id,
    name,
    level,
    version: Number(version),
    created_at: isoFromDatetime(created_at),
    updated_at: isoFromDatetime(updated_at),
    deleted_at: deleted_at === null ? null : isoFromDatetime(deleted_at),
  }
}
