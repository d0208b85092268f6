import { expect, test } from 'vitest'
import { advance, behindBoth, emptyCursor, isPending, lowMarkOf } from './cursor.ts'
import type { Cursor } from './cursor.ts'

const hole = (from: number, to = from): { from: number; to: number } => ({ from, to })
const cursor: Cursor = { high: 20, holes: [hole(5), hole(10, 12)] }

test('pending is what is above the high mark, and the holes', () => {
  const pending = Array.from({ length: 22 }, (_, seq) => seq).filter(seq => isPending(cursor, seq))
  expect(pending).toEqual([5, 10, 11, 12, 21])
})

test('a read closes holes and brings new ones', () => {
  expect(advance(cursor, { high: 25, gaps: [hole(23)], closed: [hole(5), hole(11), hole(21, 22)] })).toEqual({
    high: 25,
    holes: [hole(10), hole(12), hole(23)],
  })
})

test('a read that began behind the cursor neither moves it back nor opens what it has passed', () => {
  expect(advance(cursor, { high: 15, gaps: [hole(7), hole(10)], closed: [hole(11)] })).toEqual({
    high: 20,
    holes: [hole(5), hole(10), hole(12)],
  })
})

test('a read that finds nothing leaves the cursor as it is, so that there is nothing to commit', () => {
  expect(advance(cursor, { high: 20, gaps: [], closed: [] })).toBe(cursor)
})

test('behind two cursors is wherever something is pending for one of them', () => {
  const other: Cursor = { high: 11, holes: [hole(3)] }
  expect(behindBoth(cursor, other)).toEqual({ high: 11, holes: [hole(3), hole(5), hole(10, 11)] })
})

test('below the low mark nothing is pending', () => {
  expect(lowMarkOf(cursor)).toBe(5)
  expect(lowMarkOf(emptyCursor)).toBe(1)
})
