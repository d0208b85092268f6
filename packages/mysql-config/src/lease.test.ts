import { expect, test } from 'vitest'
import { rowsOfHalf } from './lease.ts'

test.each([
  ['nothing but numbers: the most', 10, 0, 1_000],
  ['a few bytes: the most', 1_000, 400, 1_000],
  ['six that passed the limit: half of what fits', 6, 1_200, 2],
  ['one that is larger than the limit', 1, 5_000, 1],
  ['few because few were asked for: more', 2, 200, 5],
])('%s', (_name, rows, sizeBytes, next) => {
  expect(rowsOfHalf({ rows: Array.from({ length: rows }), sizeBytes }, 1_000, 1_000)).toBe(next)
})
