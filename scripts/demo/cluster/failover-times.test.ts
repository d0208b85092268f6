import { expect, test } from 'vitest'
import { endOfPause, splitByPause } from './failover-times.ts'

const acknowledged = (partition: number, sentAt: number, at: number) => ({
  key: 'k',
  sequence: 0,
  sentAt,
  acknowledged: { at, partition },
})
const refused = { key: null, sequence: 0, sentAt: 1_500, acknowledged: null }

/** Killed at 1,000; partition 0 had a last answer on its way, and pauses until 4,000; partition 1 goes on. */
const records = [
  acknowledged(0, 990, 995),
  acknowledged(0, 995, 1_005),
  acknowledged(1, 1_100, 1_104),
  acknowledged(0, 1_100, 4_000),
  acknowledged(0, 1_200, 4_001),
  refused,
  acknowledged(1, 2_000, 2_004),
  acknowledged(0, 4_100, 4_104),
]

test('the pause ends with the first acknowledgement after the longest time without one', () => {
  expect(endOfPause(records, [0], 1_000)).toBe(4_000)
  expect(endOfPause(records, [0, 1], 1_000)).toBe(4_000)
})

test('a partition that nothing was acknowledged of any more: the pause has no end', () => {
  expect(endOfPause(records, [0, 2], 1_000)).toBeNull()
})

test('acknowledgements are told apart by whether they were under way in the pause', () => {
  expect(splitByPause(records, 1_000, 4_000)).toEqual({
    before: [5],
    during: [10, 4, 2_900, 2_801, 4],
    after: [4],
  })
  expect(splitByPause(records, 1_000, null).after).toEqual([])
})
