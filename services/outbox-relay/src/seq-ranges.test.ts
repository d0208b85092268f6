import { describe, expect, test } from 'vitest'
import { countOf, includesSeq, overlapOf, rangesOf, unionOf, upTo, without } from './seq-ranges.ts'
import type { SeqRanges } from './seq-ranges.ts'

/** `1-3 7` */
const ranges = (text: string): SeqRanges =>
  text
    .split(' ')
    .filter(part => part !== '')
    .map(part => {
      const [from = '', to = from] = part.split('-')
      return { from: Number(from), to: Number(to) }
    })
const text = (set: SeqRanges): string =>
  set.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(' ')

describe('without', () => {
  test.each([
    ['1-9', '', '1-9'],
    ['1-9', '1-9', ''],
    ['1-9', '4-5', '1-3 6-9'],
    ['1-9', '0-2 9-20', '3-8'],
    ['1-3 7 9-12', '2 7 8-9 12', '1 3 10-11'],
    ['5', '1-4 6-9', '5'],
    ['1-2 5-6 9-10', '2-9', '1 10'],
  ])('%s without %s is %s', (a, b, rest) => expect(text(without(ranges(a), ranges(b)))).toBe(rest))
})

describe('unionOf', () => {
  test.each([
    ['1-3', '4', '1-4'],
    ['7', '1 3', '1 3 7'],
    ['1-9', '2-3 9-11', '1-11'],
  ])('%s and %s make %s', (a, b, both) => expect(text(unionOf(ranges(a), ranges(b)))).toBe(both))
})

test.each([
  ['1-5 8', '4-9', '4-5 8'],
  ['1-5', '6', ''],
])('what %s and %s have in common is %s', (a, b, common) =>
  expect(text(overlapOf(ranges(a), ranges(b)))).toBe(common),
)

test('numbers, their count, and those up to a limit', () => {
  expect(text(rangesOf([1, 2, 3, 7, 9, 10]))).toBe('1-3 7 9-10')
  expect(countOf(ranges('1-3 7'))).toBe(4)
  expect(text(upTo(ranges('1-3 7 9-12'), 10))).toBe('1-3 7 9-10')
})

test.each([
  [10, 10],
  [Infinity, Infinity],
])('up to %d, a range without an end ends at %d', (limit, to) =>
  expect(upTo([{ from: 7, to: Infinity }], limit)).toEqual([{ from: 7, to }]),
)

test('every number is found where it is, and nowhere else', () => {
  const set = ranges('2 4-6 9-10')
  const found = Array.from({ length: 12 }, (_, seq) => seq).filter(seq => includesSeq(set, seq))
  expect(found).toEqual([2, 4, 5, 6, 9, 10])
})
