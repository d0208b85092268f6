import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { followChanges, markOf } from './cdc-poller.ts'
import { sampleAfter } from './low-mark.ts'
import { followNaively } from './naive-poller.ts'
import { beginning, microsOf } from './position.ts'
import { SimulatedDatabase } from './simulated-database.ts'
import type { ChangesTools } from './cdc-poller.ts'
import type { Position } from './position.ts'
import type { SimulatedRow } from './simulated-database.ts'
import type { TableDescription } from './source-table.ts'
import type { Row } from '@kafka-pattern/mysql-config'

const description: TableDescription = {
  table: 'rows',
  keyColumns: ['id'],
  updatedAtColumn: 'updated_at',
  versionColumn: 'version',
  deletedAtColumn: null,
}
const pageRows = 20

/** After so many reads, writes and pauses no more transactions begin. */
const callsUntilSettled = 1_000
const mostCalls = 20_000

/** The end of a process in the midst of its work. */
class Killed extends Error {}

interface Run {
  readonly database: SimulatedDatabase
  /** `id version` in the order in which they were stored. */
  readonly published: string[]
  cursor: Position
  dropped: number
  /** How often the cursor that was saved lay before the one that was saved before. */
  steppedBack: number
}

interface RunOptions {
  seed: number
  killedEvery?: number
  /** An orderly stop after so many steps, and another process begins. */
  stoppedEvery?: number
  clockStepsBack?: boolean
  /** Everything is long committed when the first process begins. */
  backlog?: boolean
  /** The table has so many rows of one statement and nothing else, and whenever a process begins another transaction is open. */
  bulkRows?: number
  /** A million: the column holds whole seconds. */
  updatedAtStepMicros?: number
  rememberedRows?: number
  cursorKind?: 'low-mark' | 'naive'
}

/** Follows a simulated database to its end, over as many processes as it takes. */
async function run(options: RunOptions): Promise<Run> {
  const updatedAtStepMicros = options.updatedAtStepMicros ?? 1
  const database = new SimulatedDatabase(options.seed, updatedAtStepMicros)
  // One time for all: how old a look is counts, too.
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => database.elapsedMs)
  onTestFinished(() => clock.mockRestore())
  const result: Run = { database, published: [], cursor: beginning, dropped: 0, steppedBack: 0 }
  let calls = 0
  let settled = options.backlog === true
  let pausesSince = 0

  if (settled) {
    for (let time = 0; time < 500; time++) database.passTime()
    database.settle()
  }
  if (options.bulkRows !== undefined) {
    database.commitBulk(options.bulkRows)
    settled = true
  }
  for (let ended = false; !ended;) {
    const stopping = new AbortController()
    const start = markOf(result.cursor, updatedAtStepMicros)
    if (options.bulkRows !== undefined) database.leaveOpen()
    const step = (): void => {
      if (++calls > mostCalls) throw new Error('it does not come to its end')
      if (calls < callsUntilSettled && !settled) database.passTime()
      else if (!settled) {
        database.settle()
        settled = true
      }
      if (options.clockStepsBack === true && !settled && calls % 200 === 100) database.stepBack(30)
      if (options.stoppedEvery !== undefined && calls % options.stoppedEvery === 0) stopping.abort()
      if (options.killedEvery !== undefined && calls % options.killedEvery === 0) throw new Killed()
    }
    const tools: ChangesTools & { rowsNewerThan(updatedAt: string): Promise<Row[]> } = {
      description,
      stopping: stopping.signal,
      overlapMs: 1_000,
      updatedAtStepMicros,
      rememberedRows: options.rememberedRows ?? 10_000,
      async pageAfter(position) {
        step()
        return database.pageAfter(position, pageRows)
      },
      async rowsNewerThan(updatedAt) {
        step()
        return [...database.pageAfter({ updatedAt, key: ['~'] }, pageRows).rows]
      },
      async look(previous) {
        step()
        return sampleAfter(previous, database.look(), { overlapMs: 1_000, start })
      },
      recordsOf: () => [],
      async publish(changes) {
        result.published.push(...changes.map(({ row }) => `${String(row.id)} ${String(row.version)}`))
        step()
      },
      async save(cursor) {
        if (isBefore(cursor, result.cursor)) result.steppedBack++
        result.cursor = cursor
        step()
      },
      async pause() {
        if (settled && ++pausesSince > 5) stopping.abort()
        step()
      },
      dropped: rows => void (result.dropped += rows),
    }
    try {
      await (options.cursorKind === 'naive' ? followNaively : followChanges)(result.cursor, tools)
      ended = pausesSince > 5
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      ended = pausesSince > 5
    }
  }
  return result
}

function isBefore(a: Position, b: Position): boolean {
  if (a.updatedAt !== b.updatedAt) return a.updatedAt < b.updatedAt
  return (a.key[0] ?? '') < (b.key[0] ?? '')
}

/** Rows whose last state was never published. */
function lostRows({ database, published }: Run): string[] {
  const seen = new Set(published)
  return [...database.rows.values()].map(row => `${row.id} ${row.version}`).filter(state => !seen.has(state))
}

/** States that came after a later one of the same row, unless they are repeated from a cursor. */
function turnedRound({ published }: Run): string[] {
  const newest = new Map<string, number>()
  return published.filter(state => {
    const [id = '', version] = state.split(' ')
    const isOlder = Number(version) < (newest.get(id) ?? 0)
    newest.set(id, Math.max(Number(version), newest.get(id) ?? 0))
    return isOlder
  })
}

function duplicates({ published }: Run): number {
  return published.length - new Set(published).size
}

const seeds = [1, 2, 3, 4, 11, 18, 25, 31]

describe.each(seeds)('with chance %i', seed => {
  test('transactions that wait, commit late and roll back: no row is lost, none turned round, none published twice', async () => {
    const done = await run({ seed })
    expect(lostRows(done)).toEqual([])
    expect(turnedRound(done)).toEqual([])
    expect(duplicates(done)).toBe(0)
    expect(done.dropped).toBeGreaterThan(0)
    expect(done.steppedBack).toBe(0)
  })

  test('killed again and again: nothing is lost, nothing turned round', async () => {
    const done = await run({ seed, killedEvery: 37 })
    expect(lostRows(done)).toEqual([])
    expect(turnedRound(done)).toEqual([])
    expect(done.steppedBack).toBe(0)
  })

  test.each([5, 6, 7, 9, 11, 13])(
    'a backlog, killed after every %i steps: nothing is lost',
    async killedEvery => {
      const done = await run({ seed, backlog: true, killedEvery })
      expect(lostRows(done)).toEqual([])
      expect(turnedRound(done)).toEqual([])
    },
  )

  test('a clock that steps back by half a minute: nothing is lost, nothing turned round', async () => {
    const done = await run({ seed, clockStepsBack: true })
    expect(lostRows(done)).toEqual([])
    expect(turnedRound(done)).toEqual([])
  })

  test('with hardly any memory: published twice, but nothing is lost', async () => {
    const done = await run({ seed, rememberedRows: 4 })
    expect(lostRows(done)).toEqual([])
    expect(turnedRound(done)).toEqual([])
    expect(duplicates(done)).toBeGreaterThan(0)
  })
})

describe.each([1, 1_000_000])(
  'many rows of one moment, in a column with steps of %i microseconds',
  updatedAtStepMicros => {
    const bulk = { seed: 1, bulkRows: 400, updatedAtStepMicros }

    test.each([5, 6, 7, 9, 11, 13])(
      'handed on after every %i steps while some transaction is open: none is published twice',
      async stoppedEvery => {
        const done = await run({ ...bulk, stoppedEvery })
        expect(lostRows(done)).toEqual([])
        expect(duplicates(done)).toBe(0)
        expect(done.steppedBack).toBe(0)
      },
    )

    test.each([5, 6, 7, 9, 11, 13])(
      'killed after every %i steps while some transaction is open: the cursor does not step back',
      async killedEvery => {
        const done = await run({ ...bulk, killedEvery })
        expect(lostRows(done)).toEqual([])
        expect(done.steppedBack).toBe(0)
      },
    )
  },
)

// Where a statement of the last second, which no look sees, is rounded down to before the mark.
test.each([44, 51, 55, 64, 86])(
  'a column that rounds its time down to the second, with chance %i: nothing is lost, nothing turned round',
  async seed => {
    const done = await run({ seed, updatedAtStepMicros: 1_000_000 })
    expect(lostRows(done)).toEqual([])
    expect(turnedRound(done)).toEqual([])
    expect(duplicates(done)).toBe(0)
    expect(done.steppedBack).toBe(0)
  },
)

test('the naive cursor loses rows in every one of these', async () => {
  for (const seed of seeds) {
    expect(lostRows(await run({ seed, cursorKind: 'naive' })).length).toBeGreaterThan(0)
  }
})

/** Follows these pages, each of one row and as full as a page can be, until there is nothing more to read. */
async function follow(
  rows: readonly SimulatedRow[],
  nowMs: number,
  changed: Partial<ChangesTools>,
): Promise<void> {
  const pages = rows.map(row => ({
    rows: [row],
    end: { updatedAt: row.updated_at, key: [row.id] },
    isFull: true,
  }))
  const stopping = new AbortController()
  const atMs = performance.now()
  await followChanges(beginning, {
    description,
    stopping: stopping.signal,
    overlapMs: 1_000,
    updatedAtStepMicros: 1,
    rememberedRows: 1_000,
    pageAfter: position =>
      Promise.resolve(pages.shift() ?? { rows: [], end: { ...position, key: [] }, isFull: false }),
    look: () => {
      const seen = { now: nowMs * 1_000, askedAtMs: atMs, atMs, work: [] }
      return Promise.resolve(sampleAfter(null, seen, { overlapMs: 1_000, start: 0 }))
    },
    recordsOf: () => [],
    publish: () => Promise.resolve(),
    save: () => Promise.resolve(),
    pause: () => Promise.resolve(stopping.abort()),
    dropped() {},
    ...changed,
  })
}

const moment = '2026-01-01 00:00:00.000000'
const momentMs = microsOf(moment) / 1_000
const rowOf = (id: string): SimulatedRow => ({ id, version: '1', updated_at: moment })

test('a cursor is stored while the next page is published, and after its own page', async () => {
  const steps: string[] = []
  const nextIsPublished = Promise.withResolvers<void>()
  await follow(['a', 'b'].map(rowOf), momentMs + 1_000_000, {
    async publish([change]) {
      if (change !== undefined) steps.push(`${String(change.row.id)} published`)
      if (change?.row.id === 'b') nextIsPublished.resolve()
    },
    async save({ key: [id = 'the end'] }) {
      steps.push(`storing ${id}`)
      await nextIsPublished.promise
      steps.push(`stored ${id}`)
    },
  })
  expect(steps).toEqual([
    'a published',
    'storing a',
    'b published',
    'stored a',
    'storing b',
    'stored b',
    'storing the end',
    'stored the end',
  ])
})

test('the records of a page are made while the page before is on its way', async () => {
  const published: unknown[] = []
  const lastIsMade = Promise.withResolvers<void>()
  await follow(['a', 'b'].map(rowOf), momentMs + 1_000_000, {
    recordsOf({ id }) {
      if (id === 'b') lastIsMade.resolve()
      return [{ topic: 'rows', key: String(id), value: null }]
    },
    async publish(changes) {
      await lastIsMade.promise
      published.push(...changes.map(({ records }) => records))
    },
  })
  expect(published).toEqual(['a', 'b'].map(key => [{ topic: 'rows', key, value: null }]))
})

test('a row that has gone back to the version before is news, when it is read while its other version is on its way', async () => {
  const versions = ['1', '2', '1']
  const rows = versions.map((version, second) => ({
    id: 'a',
    version,
    updated_at: `2026-01-01 00:00:0${second}.000000`,
  }))
  const published: { version: unknown; records: unknown }[] = []
  let read = 0
  const lastIsRead = Promise.withResolvers<void>()
  const made = [{ topic: 'rows', key: 'a', value: null }]
  await follow(rows, momentMs, {
    async pageAfter(position) {
      const row = rows[read++]
      if (row === undefined) return { rows: [], end: position, isFull: false }
      if (read === rows.length) lastIsRead.resolve()
      return { rows: [row], end: { updatedAt: row.updated_at, key: [row.id] }, isFull: true }
    },
    recordsOf: () => made,
    async publish(changes) {
      if (published.length === 1) await lastIsRead.promise
      published.push(...changes.map(({ row, records }) => ({ version: row.version, records })))
    },
  })
  expect(published).toEqual([
    { version: '1', records: made },
    { version: '2', records: made },
    // Known when it was read: it is news in its turn.
    { version: '1', records: null },
  ])
})
