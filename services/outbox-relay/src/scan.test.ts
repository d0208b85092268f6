import { describe, expect, test } from 'vitest'
import { advance, emptyCursor, isPending } from './cursor.ts'
import { charsOfHoles, holesLimitChars, writeCursor } from './cursor-text.ts'
import { rowOf } from './outbox-row.ts'
import { scanOf, withPredecessors } from './scan.ts'
import type { Cursor } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { SeqRanges } from './seq-ranges.ts'

const row = (seq: number, aggregateid = `a${seq}`): OutboxRow =>
  rowOf([seq, `id-${seq}`, 'user', aggregateid, 'UserRenamed', '{}', ''], 4)
const rows = (...seqs: number[]): OutboxRow[] => seqs.map(seq => row(seq))
const seqsOf = (of: { rows: readonly OutboxRow[] }): number[] => of.rows.map(({ seq }) => seq)

const cursor: Cursor = { high: 10, holes: [{ from: 4, to: 5 }] }

test('nothing is waited for: what is missing becomes holes', () => {
  const scan = scanOf(cursor, rows(12, 15), true, [], [cursor])
  expect(seqsOf(scan)).toEqual([12, 15])
  expect(advance(cursor, scan)).toEqual({
    high: 15,
    holes: [
      { from: 4, to: 5 },
      { from: 11, to: 11 },
      { from: 13, to: 14 },
    ],
  })
})

test('rows that fill holes come first', () => {
  const scan = scanOf(cursor, rows(5, 11), true, [], [cursor])
  expect(seqsOf(scan)).toEqual([5, 11])
  expect(advance(cursor, scan)).toEqual({ high: 11, holes: [{ from: 4, to: 4 }] })
})

test('a doomed hole is dead when the read does not find it', () => {
  const doomed = [{ from: 4, to: 5 }]
  expect(advance(cursor, scanOf(cursor, [], true, doomed, [cursor])).holes).toEqual([])
  expect(advance(cursor, scanOf(cursor, rows(5), true, doomed, [cursor])).holes).toEqual([])
  expect(seqsOf(scanOf(cursor, rows(5), true, doomed, [cursor]))).toEqual([5])
})

test('what a lane that is ahead misses dies above where the read began as well, and is no gap for the one that is behind', () => {
  const ahead: Cursor = { high: 20, holes: [{ from: 15, to: 17 }] }
  const scan = scanOf(cursor, rows(16, 20), true, ahead.holes, [cursor, ahead])
  expect(advance(ahead, scan)).toEqual({ high: 20, holes: [] })
  expect(advance({ ...cursor, high: 14 }, scan).holes).toEqual([
    { from: 4, to: 5 },
    { from: 18, to: 19 },
  ])
})

test('what a read did not ask for does not die by it', () => {
  const ahead: Cursor = { high: 20, holes: [{ from: 8, to: 9 }] }
  expect(scanOf(cursor, rows(20), true, ahead.holes, [cursor, ahead]).closed).toEqual([{ from: 20, to: 20 }])
})

test('a read that was cut short says nothing about what lies behind its last row', () => {
  const scan = scanOf(cursor, rows(4), false, [{ from: 4, to: 5 }], [cursor])
  expect(scan.more).toBe(true)
  expect(advance(cursor, scan)).toEqual({ high: 10, holes: [{ from: 5, to: 5 }] })
})

test('when Kafka has no room for more holes, reading ends before the next one', () => {
  const everyThird = Array.from({ length: 20_000 }, (_, i) => row(3 * (i + 1)))
  const scan = scanOf(emptyCursor, everyThird, true, [], [emptyCursor])
  const reached = advance(emptyCursor, scan)
  expect(scan.rows.length).toBeGreaterThan(1_000)
  expect(scan.rows.length).toBeLessThan(20_000)
  expect(scan.more).toBe(false)
  expect(writeCursor(reached, 256).metadata.length).toBeLessThanOrEqual(4_096)
  expect(writeCursor(reached, 256).metadata.length).toBeGreaterThan(holesLimitChars - 10)

  // Without a new hole it goes on.
  const next = rows(reached.high + 1, reached.high + 2, reached.high + 9)
  expect(seqsOf(scanOf(reached, next, true, [], [reached]))).toEqual([reached.high + 1, reached.high + 2])
})

describe('two transactions that wrote in turns leave one large hole, until one of them ends', () => {
  const turns = { from: 1, to: 12_000 }
  const large: Cursor = { high: 12_001, holes: [turns] }
  const odd = Array.from({ length: 6_000 }, (_, i) => row(2 * i + 1))
  const even = Array.from({ length: 6_000 }, (_, i) => row(2 * i + 2))
  const half = readAll(large, odd, 4_000)

  test('its rows are read only while Kafka has room for the holes between them', () => {
    expect(half.taken).toBeGreaterThan(3_900)
    expect(half.taken).toBeLessThan(6_000)
    expect(lengthOf(half.reached)).toBeLessThanOrEqual(4_096)
    expect(readAll(half.reached, odd, 4_000).taken).toBe(0)
    const waiting = odd.slice(half.taken)
    expect(scanOf(half.reached, waiting, true, [], [half.reached]).leftOut).toBe(waiting[0]!.seq)
  })

  test.each([100, 4_000, 20_000])('the rest is read when the other one commits, %i rows at a time', limit => {
    const { reached, taken } = readAll(
      half.reached,
      [...odd, ...even].toSorted((a, b) => a.seq - b.seq),
      limit,
    )
    expect(taken).toBe(12_000 - half.taken)
    expect(reached).toEqual({ high: 12_001, holes: [] })
  })

  test.each([100, 4_000, 20_000])('or when it is rolled back, %i rows at a time', limit => {
    const { reached, taken } = readAll(half.reached, odd, limit, [turns])
    expect(taken).toBe(6_000 - half.taken)
    expect(reached).toEqual({ high: 12_001, holes: [] })
  })

  test('holes that die first, each for itself, wait for the others when they would leave too many', () => {
    const dead = even.map(({ seq }) => ({ from: seq, to: seq }))
    expect(scanOf(large, [], true, dead, [large]).closed).toEqual([])
    expect(scanOf(large, [], true, [turns], [large]).closed).toEqual([turns])
  })

  test('there is room in the cursor of every lane', () => {
    const ahead: Cursor = { high: 30_000, holes: [{ from: 1, to: 10_000 }, ...spread(20_000, 3_900)] }
    const behind: Cursor = { high: 30_000, holes: [{ from: 1, to: 29_999 }] }
    const cursors = [ahead, behind]
    const scan = scanOf(behind, odd, true, [], cursors)
    expect(seqsOf(scan).length).toBeGreaterThan(50)
    for (const each of cursors) expect(lengthOf(advance(each, scan))).toBeLessThanOrEqual(4_096)
  })

  test('a cursor that an older limit let grow further goes on once its holes close', () => {
    const long: Cursor = { high: 30_000, holes: [{ from: 1, to: 10_000 }, ...spread(20_000, 4_050)] }
    expect(seqsOf(scanOf(long, rows(5), true, [], [long]))).toEqual([])
    expect(seqsOf(scanOf(long, rows(1, 2), false, [], [long]))).toEqual([1, 2])
  })

  test('an event whose predecessor does not fit is left out as well, with all above it', () => {
    const full: Cursor = { high: 30_000, holes: [{ from: 1, to: 10_000 }, ...spread(20_000, 3_981)] }
    const scan = scanOf(full, [row(30_001, 'ada'), row(30_002, 'bob')], true, [], [full])
    expect(seqsOf(scan)).toEqual([30_001, 30_002])
    expect(seqsOf(withPredecessors(scan, [row(1, 'ada')], [full]))).toEqual([1, 30_001, 30_002])
    const missed = Array.from({ length: 20 }, (_, i) => row(2 * i + 2, 'ada'))
    const cut = withPredecessors(scan, missed, [full])
    expect(seqsOf(cut)).toEqual(missed.slice(0, cut.rows.length).map(({ seq }) => seq))
    expect(lengthOf(advance(full, cut))).toBeLessThanOrEqual(4_096)
    expect(cut.more).toBe(false)
  })
})

test('holes that would be cut in two wait, and the last row below them does not', () => {
  const behind: Cursor = { high: 499, holes: [] }
  const ahead: Cursor = { high: 3_000, holes: [{ from: 1_000, to: 2_000 }] }
  const cursors = [behind, ahead]
  const limitChars = charsOfHoles(ahead.holes)
  const scan = scanOf(behind, rows(500), true, [{ from: 1_200, to: 1_300 }], cursors, limitChars)
  expect(scan).toMatchObject({ more: false, leftOut: null, closed: [{ from: 500, to: 500 }] })
  expect(seqsOf(scan)).toEqual([500])
  expect(cursors.map(each => advance(each, scan))).toEqual([{ high: 500, holes: [] }, ahead])
})

function lengthOf(of: Cursor): number {
  return writeCursor(of, 256).metadata.length
}

/** Where reads of so many of these rows each end, and how many rows they took. */
function readAll(
  from: Cursor,
  visible: readonly OutboxRow[],
  limit: number,
  doomed: SeqRanges = [],
): { reached: Cursor; taken: number } {
  let reached = from
  let taken = 0
  for (;;) {
    const pending = visible.filter(({ seq }) => isPending(reached, seq))
    const found = pending.slice(0, limit)
    const scan = scanOf(reached, found, found.length === pending.length, doomed, [reached])
    const after = advance(reached, scan)
    if (after === reached) return { reached, taken }
    reached = after
    taken += scan.rows.length
  }
}

/** Holes of one number each that cost a character each. */
function spread(from: number, count: number): SeqRanges {
  return Array.from({ length: count }, (_, i) => ({ from: from + 2 * i, to: from + 2 * i }))
}

test('an event that a read shows without the one before it in its aggregate takes that one along', () => {
  const scan = scanOf(cursor, [row(12, 'ada'), row(14, 'bob')], true, [], [cursor])
  const whole = withPredecessors(scan, [row(5, 'ada'), row(11, 'eve'), row(13, 'bob')], [cursor])
  expect(seqsOf(whole)).toEqual([5, 12, 13, 14])
  // Eve's row is visible now, but perhaps not the one before it: the next read takes it.
  expect(advance(cursor, whole)).toEqual({
    high: 14,
    holes: [
      { from: 4, to: 4 },
      { from: 11, to: 11 },
    ],
  })
})

test('another type of aggregate with the same id, or a later event, is not taken along', () => {
  const scan = scanOf(cursor, [row(12, 'ada')], true, [], [cursor])
  const account = rowOf([11, 'id', 'account', 'ada', 'Opened', '{}', ''], 4)
  expect(withPredecessors(scan, [account], [cursor])).toBe(scan)
})
