import { soon } from '@kafka-pattern/test-kit/soon'
import { seededRandom } from '@kafka-pattern/test-kit/seeded-random'
import { describe, expect, test } from 'vitest'
import { advance, emptyCursor, isPending } from './cursor.ts'
import { charsOfHoles, readCursor, writeCursor } from './cursor-text.ts'
import { laneOf } from './outbox-row.ts'
import { OutboxReader } from './outbox-reader.ts'
import type { Cursor } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { SeqRange } from './seq-ranges.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

// So few that a handful of rollbacks fills a cursor.
const holesLimitChars = 14

interface Table {
  /** The numbers of the rows that can be seen, and their aggregates. */
  readonly visible: Map<number, string>
  /** When those began that are open and have written. */
  readonly open: () => string[]
  readonly random: () => number
}

/** Answers what the reader asks of a database. */
function fakeMysql({ visible, open, random }: Table): Mysql {
  const rowArrays: Mysql['rowArrays'] = (sql, limits) => {
    const asked = askedBy(sql)
    const found = [...visible].filter(([seq]) => asked(seq)).toSorted(([a], [b]) => a - b)
    // Now and then the limit of bytes ends it.
    const bytesFor = random() < 0.2 ? 1 + Math.floor(random() * found.length) : Infinity
    const rows = found.slice(0, Math.min(limits.rows, bytesFor))
    return Promise.resolve({
      rows: rows.map(([seq, aggregate]) => [String(seq), `id-${seq}`, 'user', aggregate, 'Moved', '{}', '']),
      sizeBytes: rows.length,
      cut: bytesFor < Math.min(limits.rows, found.length),
    })
  }
  const rows = (sql: string): Promise<unknown[]> => {
    if (sql.startsWith('SHOW')) return Promise.resolve([{ Value: '99999999' }])
    const own = { started: 'own', writes: 0, statement: sql, server: 'one' }
    return Promise.resolve([
      // Now and then the picture is an old one.
      random() < 0.1 ? { ...own, statement: '' } : own,
      ...open().map(started => ({ started, writes: 1, statement: null, server: 'one' })),
    ])
  }
  const connection = { rows, write: () => Promise.resolve() }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  return {
    rowArrays,
    withConnection: (work: (on: unknown) => unknown) => work(connection),
  } as unknown as Mysql
}

function askedBy(sql: string): (seq: number) => boolean {
  const ranges = /WHERE (.*) ORDER BY seq/
    .exec(sql)![1]!
    .split(' OR ')
    .map((part): SeqRange => {
      const [from = Infinity, to = from] = Array.from(part.matchAll(/\d+/g), Number)
      return part.startsWith('seq > ') ? { from: from + 1, to: Infinity } : { from, to }
    })
  return seq => ranges.some(({ from, to }) => from <= seq && seq <= to)
}

const readerOf = (mysql: Mysql, lanes: number, batchRows: number): OutboxReader =>
  new OutboxReader({ mysql, lanes, batchRows, batchBytes: 1e9, holeGraceMs: 0, holesLimitChars })

test('a lane that is behind gets on although the one ahead has no room for a further hole', async () => {
  const holes: SeqRange[] = [{ from: 1, to: 16 }]
  for (let from = 21; charsOfHoles([...holes, { from, to: from + 5 }]) <= holesLimitChars; from += 10) {
    holes.push({ from, to: from + 5 })
  }
  const ahead: Cursor = { high: holes.at(-1)!.to + 4, holes }
  // All transactions have ended. Of the lowest hole 7 was committed, everything else was rolled back.
  const seqs = Array.from({ length: ahead.high + 5 }, (_, i) => i + 1)
  const visible = seqs.filter(seq => seq === 7 || !isPending({ high: Infinity, holes }, seq))
  const table = {
    visible: new Map(visible.map(seq => [seq, 'ada'])),
    open: () => [],
    random: () => 0.5,
  }
  const reader = readerOf(fakeMysql(table), 2, 4_000)
  let cursors: Cursor[] = [emptyCursor, ahead]
  for (const each of cursors) reader.readFor(each)
  await soon(async () => {
    const scan = await reader.read(cursors)
    cursors = cursors.map(each => advance(each, scan))
    await reader.examineHoles()
    expect(cursors).toEqual(Array.from({ length: 2 }, () => ({ high: ahead.high + 5, holes: [] })))
  })
})

describe('of rows of 100 bytes each, over a link that is slow at first', () => {
  const tooSlow = Object.assign(new Error('no answer in time'), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
  const lost = Object.assign(new Error('connection lost'), { code: 'PROTOCOL_CONNECTION_LOST' })
  const seqs = Array.from({ length: 48 }, (_, i) => i + 1)

  test.each([
    ['after one that took too long a read is half as large', 16, 3_200, 3, tooSlow, [16, 8, 4, 2, 4, 2]],
    ['also when it is the bytes that end it', 1_000, 1_600, 3, tooSlow, [16, 8, 4, 2, 2, 4]],
    ['down to one row', 16, 3_200, 1, tooSlow, [16, 8, 4, 2, 1, 2]],
    ['and as large as before after another failure', 16, 3_200, 3, lost, [16, 16, 16]],
  ])('%s', async (_what, batchRows, batchBytes, linkRows, error, slowReads) => {
    const sizes: number[] = []
    const rowArrays: Mysql['rowArrays'] = (sql, limits) => {
      const found = seqs.filter(askedBy(sql))
      const rows = found.slice(0, Math.min(limits.rows, Math.ceil(limits.bytes / 100)))
      sizes.push(rows.length)
      if (sizes.length <= slowReads.length && rows.length > linkRows) return Promise.reject(error)
      return Promise.resolve({
        rows: rows.map(seq => [String(seq), `id-${seq}`, 'user', 'ada', 'Moved', '{}', '']),
        sizeBytes: rows.length * 100,
        cut: rows.length < Math.min(limits.rows, found.length),
      })
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
    const mysql = { rowArrays } as unknown as Mysql
    const reader = new OutboxReader({ mysql, lanes: 1, batchRows, batchBytes, holeGraceMs: 0 })
    const read: number[] = []
    for (let i = 0; i < 20; i++) {
      const scan = await reader.read([emptyCursor]).catch(() => null)
      read.push(...(scan?.rows ?? []).map(({ seq }) => seq))
    }
    expect(sizes.slice(0, slowReads.length)).toEqual(slowReads)
    expect(Math.max(...sizes.slice(slowReads.length))).toBe(Math.min(batchRows, batchBytes / 200))
    expect(read).toEqual(seqs)
  })
})

describe('whatever writers, lanes and restarts do, each committed row is read once, in order, and reading never ends', () => {
  test.each(Array.from({ length: 150 }, (_, seed) => seed))('seed %i', async seed => {
    for (const { ahead, published, committed } of await simulate(seededRandom(seed))) {
      expect(byAggregate(published)).toEqual(byAggregate(committed))
      expect(ahead.holes).toEqual([])
    }
  })
})

interface SimulatedLane {
  readonly number: number
  committed: Cursor
  ahead: Cursor
  slices: { rows: readonly OutboxRow[]; cursor: Cursor }[]
  readonly published: OutboxRow[]
  served: boolean
}

/** Of each lane, where it ends, and the numbers and aggregates of what was published, as it was, and of what was committed. */
async function simulate(
  random: () => number,
): Promise<{ ahead: Cursor; published: [number, string][]; committed: [number, string][] }[]> {
  const below = (limit: number): number => Math.floor(random() * limit)
  const lanes = 1 + below(5)
  const batchRows = 1 + below(8)
  const visible = new Map<number, string>()
  let transactions: { id: string; aggregates: string[]; rows: [number, string][] }[] = []
  let nextSeq = 1
  let begun = 0

  function begin(): void {
    // Writers lock the aggregates that they write events of.
    const locked = new Set(transactions.flatMap(({ aggregates }) => aggregates))
    const free = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].filter(each => !locked.has(each))
    const aggregates = [...new Set(Array.from({ length: 1 + below(2) }, () => free[below(free.length)]!))]
    if (free.length > 0) transactions.push({ id: `at ${begun++}`, aggregates, rows: [] })
  }
  function insert(): void {
    const transaction = transactions[below(transactions.length)]
    if (transaction === undefined) return
    const { aggregates, rows } = transaction
    for (let i = 0; i <= below(3); i++) rows.push([nextSeq++, aggregates[below(aggregates.length)]!])
  }
  function end(): void {
    const [ended] = transactions.splice(below(transactions.length), 1)
    if (random() < 0.5) for (const [seq, aggregate] of ended?.rows ?? []) visible.set(seq, aggregate)
  }

  const open = (): string[] => transactions.filter(({ rows }) => rows.length > 0).map(({ id }) => id)
  const mysql = fakeMysql({ visible, open, random })
  let reader = readerOf(mysql, lanes, batchRows)
  const all = Array.from({ length: lanes }, (_, number): SimulatedLane => {
    return { number, committed: emptyCursor, ahead: emptyCursor, slices: [], published: [], served: false }
  })

  async function read(): Promise<void> {
    for (const lane of all) {
      if (lane.served || random() < 0.5) continue
      reader.readFor(lane.ahead)
      lane.served = true
    }
    const served = all.filter(lane => lane.served)
    if (served.length === 0) return
    const scan = await reader.read(served.map(({ ahead }) => ahead))
    for (const lane of served) {
      const rows = scan.rows.filter(row => row.lane === lane.number && isPending(lane.ahead, row.seq))
      lane.ahead = advance(lane.ahead, scan)
      expect(charsOfHoles(lane.ahead.holes)).toBeLessThanOrEqual(holesLimitChars)
      if (rows.length > 0) lane.slices.push({ rows, cursor: lane.ahead })
    }
  }
  function publish(lane: SimulatedLane): void {
    const taken = lane.slices.splice(0, 1 + below(lane.slices.length))
    for (const { rows } of taken) lane.published.push(...rows)
    lane.committed = lane.slices.length === 0 ? lane.ahead : taken.at(-1)!.cursor
  }
  /** What it read and has not published is forgotten; perhaps another process goes on, by what Kafka has. */
  function giveBack(lane: SimulatedLane): void {
    lane.slices = []
    lane.committed = lane.ahead = readCursor(writeCursor(lane.committed, lanes), lanes)
    lane.served = false
    if (all.every(each => !each.served)) reader.forget()
  }
  function restart(): void {
    for (const lane of all) giveBack(lane)
    reader = readerOf(mysql, lanes, batchRows)
  }

  for (let step = 0; step < 400; step++) {
    const dice = below(100)
    if (dice < 15) begin()
    else if (dice < 40) insert()
    else if (dice < 50) end()
    else if (dice < 75) await read()
    else if (dice < 85) await reader.examineHoles()
    else if (dice < 94) publish(all[below(lanes)]!)
    else if (dice < 98) giveBack(all[below(lanes)]!)
    else restart()
  }
  while (transactions.length > 0) end()
  const expected = all.map(({ number }) =>
    [...visible].filter(([, aggregate]) => laneOf(aggregate, lanes) === number),
  )
  const isDone = (): boolean =>
    all.every(
      ({ ahead, published }, i) => ahead.holes.length === 0 && published.length === expected[i]!.length,
    )
  for (let round = 0; round < 500 && !isDone(); round++) {
    await read()
    await reader.examineHoles()
    for (const lane of all) publish(lane)
  }
  return all.map(({ ahead, published }, i) => ({
    ahead,
    published: published.map(({ seq, aggregateid }): [number, string] => [seq, aggregateid]),
    committed: expected[i]!.toSorted(([a], [b]) => a - b),
  }))
}

/** The order in which the numbers of each came. */
function byAggregate(rows: [number, string][]): Record<string, number[]> {
  const seqs: Record<string, number[]> = {}
  for (const [seq, aggregate] of rows) (seqs[aggregate] ??= []).push(seq)
  return seqs
}
