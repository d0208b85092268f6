/**
 * A database with one table, for tests of the loop: transactions whose rows appear when they commit, a clock that can step back, and the
 * looks that a real server allows (whole seconds, nothing of what began a moment ago). All decisions are of a seeded chance.
 */
import { seededRandom } from '@kafka-pattern/test-kit/seeded-random'
import { datetimeOf } from './position.ts'
import type { Observation, OpenWork } from './low-mark.ts'
import type { Page } from './source-table.ts'
import type { Position } from './position.ts'
import type { Row } from '@kafka-pattern/mysql-config'

export interface SimulatedRow extends Row {
  id: string
  version: string
  updated_at: string
}

interface Transaction {
  readonly number: number
  readonly session: number
  /** When the server registers it: its first statement may have waited before. */
  startedAt: number | null
  /** The statement that runs or waits, and since when. */
  statementAt: number | null
  readonly writes: Map<string, SimulatedRow>
}

const second = 1_000_000

/** Of the clients whose transactions come and go by chance. */
const sessions = 16

export class SimulatedDatabase {
  readonly #chance: () => number
  readonly #stepMicros: number
  readonly #committed = new Map<string, SimulatedRow>()
  readonly #open = new Set<Transaction>()
  /** Rows that an open transaction has locked. */
  readonly #locked = new Set<string>()
  #leftOpen: Transaction | null = null
  #clock = 1_800_000_000 * second
  #elapsed = 0
  #numbers = 0
  committedVersions = 0

  /** @param stepMicros of `updated_at`, which is rounded down to a multiple of it: a million in a column of whole seconds */
  constructor(seed: number, stepMicros: number) {
    this.#chance = seededRandom(seed)
    this.#stepMicros = stepMicros
  }

  get rows(): ReadonlyMap<string, SimulatedRow> {
    return this.#committed
  }

  /** On the clock that never steps. */
  get elapsedMs(): number {
    return this.#elapsed / 1000
  }

  /** Lets time pass, and in it transactions begin, wait, write, commit and roll back. */
  passTime(): void {
    // Now and then an answer takes long, so that looks are far apart.
    const longest = this.#chance() < 0.05 ? 3 : 0.1
    const micros = Math.floor(this.#chance() * longest * second)
    this.#clock += micros
    this.#elapsed += micros
    for (const transaction of this.#open) this.#proceed(transaction)
    while (this.#open.size < 8 && this.#chance() < 0.6) this.#begin()
  }

  /** Everything is committed, and nothing new begins. */
  settle(): void {
    for (const transaction of this.#open) {
      this.#write(transaction)
      this.#commit(transaction)
    }
    this.#clock += 10 * second
    this.#elapsed += 10 * second
  }

  /** One statement has written so many new rows, all of one moment, and has committed long ago. */
  commitBulk(rows: number): void {
    const updatedAt = this.#inColumn(this.#clock)
    for (let n = 0; n < rows; n++) {
      // Of one length, so that texts compare as the numbers do.
      const id = `bulk-${1_000 + n}`
      this.#committed.set(id, { id, version: '1', updated_at: updatedAt })
    }
    this.#clock += 10 * second
    this.#elapsed += 10 * second
  }

  /** A transaction that has changed a row is open from now on; the one that was left open before has rolled back. */
  leaveOpen(): void {
    if (this.#leftOpen !== null) this.#end(this.#leftOpen)
    this.#leftOpen = {
      number: ++this.#numbers,
      session: sessions + 1,
      startedAt: this.#clock,
      statementAt: this.#clock,
      writes: new Map(),
    }
    this.#open.add(this.#leftOpen)
    this.#write(this.#leftOpen)
  }

  stepBack(seconds: number): void {
    this.#clock -= seconds * second
  }

  look(): Observation {
    const now = this.#clock
    const work: OpenWork[] = []
    for (const { number, session, startedAt, statementAt, writes } of this.#open) {
      // A process list tells whole seconds, and what began a moment ago is not asked for.
      const age = statementAt === null ? 0 : Math.floor((now - statementAt) / second)
      if (age >= 1)
        work.push({
          kind: 'statement',
          id: String(session),
          session,
          started: '',
          since: now - (age + 1) * second,
        })
      if (startedAt !== null && writes.size > 0) {
        // Known by the difference of two whole seconds, as in open-transactions.ts.
        const started = Math.floor(startedAt / second) * second
        const elapsed = Math.floor(now / second) * second - started
        const since = elapsed < 0 ? 0 : now - elapsed - second
        work.push({ kind: 'transaction', id: String(number), session, started: String(started), since })
      }
    }
    return { now, askedAtMs: this.elapsedMs, atMs: this.elapsedMs, work }
  }

  pageAfter({ updatedAt, key }: Position, pageRows: number): Page {
    const after = [...this.#committed.values()]
      .filter(row => row.updated_at > updatedAt || (row.updated_at === updatedAt && row.id > (key[0] ?? '')))
      .toSorted((a, b) => compare(a.updated_at, b.updated_at) || compare(a.id, b.id))
    const rows = after.slice(0, pageRows)
    const last = rows.at(-1)
    const end = last === undefined ? { updatedAt, key } : { updatedAt: last.updated_at, key: [last.id] }
    return { rows, end, isFull: rows.length === pageRows }
  }

  #begin(): void {
    const number = ++this.#numbers
    // Sessions are used again and again.
    const session = 1 + (number % sessions)
    if ([...this.#open].some(open => open.session === session)) return
    const transaction: Transaction = {
      number,
      session,
      startedAt: null,
      statementAt: this.#clock,
      writes: new Map(),
    }
    this.#open.add(transaction)
    // Some wait for seconds before their transaction begins, as behind LOCK TABLES.
    if (this.#chance() < 0.7) this.#write(transaction)
  }

  #proceed(transaction: Transaction): void {
    const chance = this.#chance()
    if (transaction.statementAt !== null) {
      if (chance < 0.15) this.#write(transaction)
    } else if (chance < 0.2) {
      transaction.statementAt = this.#clock
      this.#write(transaction)
    } else if (chance < 0.45) this.#commit(transaction)
    else if (chance < 0.5) this.#end(transaction)
  }

  /** Gives rows the time at which the statement began, as exactly as the column can hold it. */
  #write(transaction: Transaction): void {
    const { statementAt } = transaction
    if (statementAt === null) return
    transaction.startedAt ??= this.#clock
    const updatedAt = this.#inColumn(statementAt)
    const count = 1 + Math.floor(this.#chance() * 4)
    for (let n = 0; n < count; n++) {
      const id = `row-${Math.floor(this.#chance() * 200)}`
      if (this.#locked.has(id) && !transaction.writes.has(id)) continue
      this.#locked.add(id)
      const before = transaction.writes.get(id) ?? this.#committed.get(id)
      const version = String(Number(before?.version ?? 0) + 1)
      transaction.writes.set(id, { id, version, updated_at: updatedAt })
    }
    transaction.statementAt = null
  }

  #inColumn(micros: number): string {
    return datetimeOf(micros - (micros % this.#stepMicros))
  }

  #commit(transaction: Transaction): void {
    for (const [id, row] of transaction.writes) {
      this.#committed.set(id, row)
      this.committedVersions++
    }
    this.#end(transaction)
  }

  #end(transaction: Transaction): void {
    for (const id of transaction.writes.keys()) this.#locked.delete(id)
    this.#open.delete(transaction)
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
