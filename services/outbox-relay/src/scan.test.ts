import { expect, test } from 'vitest'
import { advance } from './cursor.ts'
import { holesLimitChars, writeCursor } from './cursor-text.ts'
import { rowOf } from './outbox-row.ts'
import { scanOf, withPredecessors } from './scan.ts'
import type { Cursor } from './cursor.ts'
import type { OutboxRow } from './outbox-row.ts'

const row = (seq: number, aggregateid = `a${seq}`): OutboxRow =>
  rowOf([seq, `id-${seq}`, 'user', aggregateid, 'UserRenamed', '{}', ''], 4)
const rows = (...seqs: number[]): OutboxRow[] => seqs.map(seq => row(seq))
const seqsOf = (of: { rows: readonly OutboxRow[] }): number[] => of.rows.map(({ seq }) => seq)

const cursor: Cursor = { high: 10, holes: [{ from: 4, to: 5 }] }

test('nothing is waited for: what is missing becomes holes', () => {
  const scan = scanOf(cursor, rows(12, 15), true, [])
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
  const scan = scanOf(cursor, rows(5, 11), true, [])
  expect(seqsOf(scan)).toEqual([5, 11])
  expect(advance(cursor, scan)).toEqual({ high: 11, holes: [{ from: 4, to: 4 }] })
})

test('a doomed hole is dead when the read does not find it', () => {
  const doomed = [{ from: 4, to: 5 }]
  expect(advance(cursor, scanOf(cursor, [], true, doomed)).holes).toEqual([])
  expect(advance(cursor, scanOf(cursor, rows(5), true, doomed)).holes).toEqual([])
  expect(seqsOf(scanOf(cursor, rows(5), true, doomed))).toEqual([5])
})

test('a read that was cut short says nothing about what lies behind its last row', () => {
  const scan = scanOf(cursor, rows(4), false, [{ from: 4, to: 5 }])
  expect(scan.more).toBe(true)
  expect(advance(cursor, scan)).toEqual({ high: 10, holes: [{ from: 5, to: 5 }] })
})

test('when Kafka has no room for more holes, reading ends before the next one', () => {
  const everyThird = Array.from({ length: 20_000 }, (_, i) => row(3 * (i + 1)))
  const scan = scanOf({ high: 0, holes: [] }, everyThird, true, [])
  const reached = advance({ high: 0, holes: [] }, scan)
  expect(scan.rows.length).toBeGreaterThan(1_000)
  expect(scan.rows.length).toBeLessThan(20_000)
  expect(scan.more).toBe(false)
  expect(writeCursor(reached, 256).metadata.length).toBeLessThanOrEqual(4_096)
  expect(writeCursor(reached, 256).metadata.length).toBeGreaterThan(holesLimitChars - 10)

  // Without a new hole it goes on.
  const next = rows(reached.high + 1, reached.high + 2, reached.high + 9)
  expect(seqsOf(scanOf(reached, next, true, []))).toEqual([reached.high + 1, reached.high + 2])
})

test('an event that a read shows without the one before it in its aggregate takes that one along', () => {
  const scan = scanOf(cursor, [row(12, 'ada'), row(14, 'bob')], true, [])
  const whole = withPredecessors(scan, [row(5, 'ada'), row(11, 'eve'), row(13, 'bob')])
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
  const scan = scanOf(cursor, [row(12, 'ada')], true, [])
  const account = rowOf([11, 'id', 'account', 'ada', 'Opened', '{}', ''], 4)
  expect(withPredecessors(scan, [account])).toBe(scan)
})
