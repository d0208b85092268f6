/** Rows and records as user-registry writes them, made in bulk. */
import { randomUUID } from 'node:crypto'
import type { BenchDatabase } from './databases.ts'

export interface User {
  readonly id: string
  name: string
  level: number
  version: number
  created_at: string
  updated_at: string
  deleted_at: string | null
}

const rowsOfStatement = 2_000
const loaders = 3
const startMs = Date.UTC(2026, 0, 1)

/** The next state of a user: a new one first, and then the same one with another name. All moments lie in the past. */
function nextState(known: User | undefined, at: number): User {
  const moment = `${new Date(startMs + at).toISOString().slice(0, -1)}${String(at % 1000).padStart(3, '0')}Z`
  if (known === undefined) {
    const name = `User ${at} of the benchmark`
    return {
      id: randomUUID(),
      name,
      level: at % 101,
      version: 1,
      created_at: moment,
      updated_at: moment,
      deleted_at: null,
    }
  }
  return { ...known, name: `User ${at}, renamed`, version: known.version + 1, updated_at: moment }
}

/** `count` changes in the order in which they were made: every second one creates a user, the others rename one. */
export function* userChanges(count: number): Generator<User> {
  const users: User[] = []
  for (let i = 0; i < count; i++) {
    const which = i % 2 === 0 ? users.length : Math.floor(Math.random() * users.length)
    const state = nextState(users[which], i)
    users[which] = state
    yield state
  }
}

/** The values of `INSERT INTO outbox`, for one event of that user. */
export function outboxValues(state: User, id: string = randomUUID()): string {
  const type = state.version === 1 ? 'UserCreated' : 'UserRenamed'
  return `('${id}','user','${state.id}','${type}','${JSON.stringify(state)}','bench')`
}

export const insertIntoOutbox =
  'INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES '

/** A backlog of events, the newest last. */
export async function fillOutbox(database: BenchDatabase, rows: number): Promise<void> {
  await insertAll(
    database,
    insertIntoOutbox,
    mapped(userChanges(rows), state => outboxValues(state)),
  )
}

const datetime = (moment: string) => `'${moment.slice(0, 10)} ${moment.slice(11, -1)}'`

/** A table of users, all different. */
export async function fillUsers(database: BenchDatabase, rows: number): Promise<void> {
  const into = 'INSERT INTO users (id, name, level, version, created_at, updated_at) VALUES '
  await insertAll(
    database,
    into,
    mapped(counted(rows), i => userValues(nextState(undefined, i))),
  )
}

function userValues({ id, name, level, version, created_at, updated_at }: User): string {
  return `('${id}','${name}',${level},${version},${datetime(created_at)},${datetime(updated_at)})`
}

async function insertAll({ root }: BenchDatabase, into: string, rows: Iterable<string>): Promise<void> {
  const chunks = chunked(rows, rowsOfStatement)
  const load = async () => {
    for (const chunk of chunks) await root.write(into + chunk.join(','))
  }
  await Promise.all(Array.from({ length: loaders }, load))
}

function* counted(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i
}

function* mapped<A, B>(items: Iterable<A>, map: (item: A) => B): Generator<B> {
  for (const item of items) yield map(item)
}

/** Arrays of `size` items; several loops may share it. */
export function* chunked<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let chunk: T[] = []
  for (const item of items) {
    chunk.push(item)
    if (chunk.length < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
