/**
 * What the demo writes: 20 users over HTTP, most of them changed several times within a second, some deleted; and two
 * transactions by SQL that no HTTP request could make: one is rolled back, one commits long after its statement.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { UserEventType } from '@kafka-pattern/events'
import type { Mysql, Queryable } from '@kafka-pattern/mysql-config'
import type { ComposeService } from '../../compose-file/compose-file.ts'
import { baseUrl } from '../../stack-addresses.ts'
import { UserError } from '../../user-error.ts'
import type { Change, ChangeLedger } from './change-ledger.ts'
import type { Pattern } from './patterns.ts'

export const lateCommitMs = 3_000

const pauseBetweenUsersMs = 80
const changedUsers = 12
const deletedUsers = 4

const names =
  'Ada Grace Edsger Barbara Donald Leslie Frances Tony Radia Alan Margaret Katherine Ken Dennis Niklaus Adele Jim Shafi Butler Joan'.split(
    ' ',
  )

export type Writing = {
  registry: ComposeService
  /** as the database user of user-registry */
  mysql: Mysql
  writes: Pattern['writes']
  ledger: ChangeLedger
  /** told of each user when all of its changes are committed, and of each step of the two transactions */
  narrate: (who: 'registry' | 'demo', text: string) => void
  /** told of each user before anything is written about it */
  introduce: (id: string, label: string) => void
}

export async function writeUsers(writing: Writing): Promise<void> {
  const users = names.map(async (name, index) => {
    await delay(index * pauseBetweenUsersMs)
    await writeUser(writing, name, index)
  })
  await Promise.all([commitLate(writing), rollBack(writing), ...users])
}

/** One user, its changes as fast as the answers come. */
async function writeUser(writing: Writing, label: string, index: number): Promise<void> {
  const { registry, ledger, narrate, introduce } = writing
  const startedAt = performance.now()
  let state = await request(registry, 'POST', '/users', { name: label, level: index })
  introduce(state.id, label)
  const done: string[] = []
  const note = (kind: UserEventType, what: string) => {
    const change: Change = { ...state, label, kind, committedAt: performance.now(), late: false }
    ledger.committed(change)
    done.push(what)
  }
  note('UserCreated', 'created')
  const path = `/users/${state.id}`
  if (index < changedUsers) {
    state = await request(registry, 'PUT', path, { name: `${label} B.`, version: state.version })
    note('UserRenamed', 'renamed')
    for (const level of [50 + index, 70 + index]) {
      state = await request(registry, 'PUT', path, { level, version: state.version })
      note('UserLevelChanged', `level ${level}`)
    }
  }
  if (index >= changedUsers - deletedUsers / 2 && index < changedUsers + deletedUsers / 2) {
    await request(registry, 'DELETE', path, null)
    state = { ...state, version: state.version + 1 }
    note('UserDeleted', 'deleted')
  }
  const versions = state.version === 1 ? 'version 1' : `versions 1 to ${state.version}`
  narrate(
    'registry',
    `${label}: ${done.join(', ')} (${versions} in ${Math.round(performance.now() - startedAt)} ms)`,
  )
}

async function commitLate({ mysql, writes, ledger, narrate, introduce }: Writing): Promise<void> {
  const user = { id: randomUUID(), name: 'Hedy', level: 3, version: 1 }
  introduce(user.id, user.name)
  await mysql.inTransaction(async transaction => {
    await insertUser(transaction, user, writes)
    narrate(
      'demo',
      `${user.name}: inserted by SQL, in a transaction that stays open for ${lateCommitMs / 1_000} s`,
    )
    await delay(lateCommitMs)
  })
  ledger.committed({
    ...user,
    label: user.name,
    kind: 'UserCreated',
    committedAt: performance.now(),
    late: true,
  })
  narrate('demo', `${user.name}: committed`)
}

async function rollBack({ mysql, writes, ledger, narrate, introduce }: Writing): Promise<void> {
  const user = { id: randomUUID(), name: 'Nobody', level: 0, version: 1 }
  introduce(user.id, user.name)
  ledger.rolledBack(user.id)
  const reason = new Error('rolled back on purpose')
  try {
    await mysql.inTransaction(async transaction => {
      await insertUser(transaction, user, writes)
      throw reason
    })
  } catch (error) {
    if (error !== reason) throw error
  }
  narrate('demo', `${user.name}: inserted by SQL, and rolled back`)
}

/** What user-registry does in one transaction. */
async function insertUser(
  transaction: Queryable,
  user: { id: string; name: string; level: number; version: number },
  writes: Pattern['writes'],
): Promise<void> {
  await transaction.write('INSERT INTO users (id, name, level, version) VALUES (?)', [
    [user.id, user.name, user.level, user.version],
  ])
  if (writes === 'row') return
  const [row] = await transaction.rows<{ created_at: string; updated_at: string }>(
    'SELECT created_at, updated_at FROM users WHERE id = ?',
    [user.id],
  )
  const [created_at, updated_at] = [row!.created_at, row!.updated_at].map(
    time => `${time.replace(' ', 'T')}Z`,
  )
  const payload = JSON.stringify({ ...user, created_at, updated_at, deleted_at: null })
  await transaction.write(
    'INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES (?)',
    [[randomUUID(), 'user', user.id, 'UserCreated', payload, randomUUID()]],
  )
}

type UserAnswer = { id: string; name: string; level: number; version: number }

async function request(
  registry: ComposeService,
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: unknown,
): Promise<UserAnswer> {
  const response = await fetch(`${baseUrl(registry)}${path}`, {
    method,
    headers: {
      'x-correlation-id': randomUUID(),
      ...(body === null ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === null ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  })
  const text = await response.text()
  if (!response.ok) {
    throw new UserError(
      `${registry.name} answered ${response.status} to ${method} ${path}: ${text} (make logs SERVICE=${registry.name})`,
    )
  }
  return JSON.parse(text === '' ? 'null' : text)
}
