import { expect, test } from 'vitest'
import { percentile } from './percentile.ts'

test.each([
  [[5, 1, 3], 0.5, 3],
  [[1, 2, 3, 4], 0.5, 2],
  [[1, 2, 3, 4], 0.99, 4],
  [[7], 0, 7],
  [[], 0.5, undefined],
])('of %j, share %f: %s', (values, share, expected) => {
  expect(percentile(values, share)).toBe(expected)
})
