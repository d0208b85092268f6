import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { followChanges, markOf } from './cdc-poller.ts'
import { sampleAfter } from './low-mark.ts'
import { followNaively } from './naive-poller.ts'
import { beginning, microsOf } from './position.ts'
import { SimulatedDatabase } from './simulated-database.ts'
import type { ChangesTools } from './cdc-poller.ts'
import type { Position } from './position.ts'
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

test('a cursor is stored while the next page is published, and after its own page', async () => {
  const steps: string[] = []
  const moment = '2026-01-01 00:00:00.000000'
  const pages = [['a'], ['b'], []].map(ids => ({
    rows: ids.map(id => ({ id, version: '1', updated_at: moment })),
    end: { updatedAt: moment, key: ids },
    isFull: ids.length > 0,
  }))
  const stopping = new AbortController()
  const nextIsPublished = Promise.withResolvers<void>()
  const now = performance.now()
  await followChanges(beginning, {
    description,
    stopping: stopping.signal,
    overlapMs: 1_000,
    updatedAtStepMicros: 1,
    rememberedRows: 1_000,
    pageAfter: () => Promise.resolve(pages.shift()!),
    look: () => {
      const seen = { now: microsOf(moment) + 1_000_000_000, askedAtMs: now, atMs: now, work: [] }
      return Promise.resolve(sampleAfter(null, seen, { overlapMs: 1_000, start: 0 }))
    },
    recordsOf: () => [],
    async publish([change]) {
      if (change !== undefined) steps.push(`${String(change.row.id)} published`)
      if (change?.row.id === 'b') nextIsPublished.resolve()
    },
    async save({ key: [id = 'the end'] }) {
      steps.push(`storing ${id}`)
      await nextIsPublished.promise
      steps.push(`stored ${id}`)
    },
    pause: () => Promise.resolve(stopping.abort()),
    dropped() {},
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

test('a row that has gone back to the version before is news, when it is read while its other version is on its way', async () => {
  const published: string[] = []
  const moments = ['00', '01', '02'].map(second => `2026-01-01 00:00:${second}.000000`)
  const versions = ['1', '2', '1']
  const pages = versions.map((version, i) => ({
    rows: [{ id: 'a', version, updated_at: moments[i]! }],
    end: { updatedAt: moments[i]!, key: ['a'] },
    isFull: true,
  }))
  const stopping = new AbortController()
  const now = performance.now()
  const lastIsRead = Promise.withResolvers<void>()
  await followChanges(beginning, {
    description,
    stopping: stopping.signal,
    overlapMs: 1_000,
    updatedAtStepMicros: 1,
    rememberedRows: 1_000,
    async pageAfter(position) {
      const page = pages.shift()
      if (pages.length === 0) lastIsRead.resolve()
      return page ?? { rows: [], end: position, isFull: false }
    },
    look: () => {
      const seen = { now: microsOf(moments[0]!), askedAtMs: now, atMs: now, work: [] }
      return Promise.resolve(sampleAfter(null, seen, { overlapMs: 1_000, start: 0 }))
    },
    recordsOf: () => [],
    async publish(changes) {
      if (published.length === 1) await lastIsRead.promise
      published.push(...changes.map(({ row }) => String(row.version)))
    },
    save: () => Promise.resolve(),
    pause: () => Promise.resolve(stopping.abort()),
    dropped() {},
  })
  expect(published).toEqual(versions)
})
