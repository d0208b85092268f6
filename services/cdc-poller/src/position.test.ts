import { expect, test } from 'vitest'
import { before, datetimeOf, earlier, microsOf, withMicroseconds } from './position.ts'
import type { Position } from './position.ts'

test.each([
  ['1970-01-01 00:00:01.000000', 1_000_000],
  ['2026-11-23 12:00:00.123456', 1_795_435_200_123_456],
  ['2026-11-23 12:00:00.999999', 1_795_435_200_999_999],
  ['2200-12-31 23:59:59.000001', 7_289_654_399_000_001],
])('%s is %i microseconds, and back', (datetime, micros) => {
  expect(microsOf(datetime)).toBe(micros)
  expect(datetimeOf(micros)).toBe(datetime)
})

test('of a fraction of a microsecond, which the reckoning with two clocks leaves, the moment before', () => {
  expect(datetimeOf(1_795_435_200_123_007.25)).toBe('2026-11-23 12:00:00.123007')
})

test.each([
  ['2026-11-23 12:00:00', '2026-11-23 12:00:00.000000'],
  ['2026-11-23 12:00:00.5', '2026-11-23 12:00:00.500000'],
  ['2026-11-23 12:00:00.123', '2026-11-23 12:00:00.123000'],
  ['2026-11-23 12:00:00.123456', '2026-11-23 12:00:00.123456'],
])('%s has six digits as %s', (datetime, complete) => {
  expect(withMicroseconds(datetime)).toBe(complete)
})

const at = (updatedAt: string, ...key: string[]): Position => ({ updatedAt, key })
test.each<[string, Position, Position, Position]>([
  [
    'another moment',
    at('2026-01-01 00:00:00.000001', 'a'),
    at('2026-01-01 00:00:00.000002', 'a'),
    at('2026-01-01 00:00:00.000001', 'a'),
  ],
  [
    'before all keys of the moment',
    at('2026-01-01 00:00:00.000001', 'a'),
    before(microsOf('2026-01-01 00:00:00.000001'), 1),
    at('2026-01-01 00:00:00.000001'),
  ],
])('the earlier of two: %s', (_name, a, b, wanted) => {
  expect(earlier(a, b)).toEqual(wanted)
  expect(earlier(b, a)).toEqual(wanted)
})

test.each([
  [1, '2026-01-01 00:00:59.999999'],
  [1_000, '2026-01-01 00:00:59.999000'],
  [1_000_000, '2026-01-01 00:00:59.000000'],
])('before what a column with steps of %i microseconds can hold', (stepMicros, updatedAt) => {
  expect(before(microsOf('2026-01-01 00:00:59.999999'), stepMicros)).toEqual({ updatedAt, key: [] })
})
