import { expect, test } from 'vitest'
import { wrap } from './narrator.ts'

test('items fill lines, and one that is too long has its own', () => {
  expect(wrap(['Ada 1', 'Ada 2', 'Grace 1'], 13)).toEqual(['Ada 1, Ada 2,', 'Grace 1'])
  expect(wrap(['Ada 1', 'Ada 2'], 12)).toEqual(['Ada 1,', 'Ada 2'])
  expect(wrap(['a long item'], 4)).toEqual(['a long item'])
  expect(wrap([], 4)).toEqual([])
})
