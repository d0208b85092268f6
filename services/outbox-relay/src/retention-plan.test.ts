import { expect, test } from 'vitest'
import { planRetention } from './retention-plan.ts'
import type { Partition } from './retention-plan.ts'

const partitions: Partition[] = [
  { name: 'p100', below: 100 },
  { name: 'p200', below: 200 },
  { name: 'p300', below: 300 },
  { name: 'pmax', below: null },
]

test.each([
  ['nothing is published', 1, 250, []],
  ['published in part', 199, 250, ['p100']],
  ['published up to its end', 200, 250, ['p100', 'p200']],
  ['all of it: the newest row stays', 251, 250, ['p100', 'p200']],
  ['the newest row is the last of its partition', 300, 299, ['p100', 'p200']],
  ['an empty table', 1, null, []],
])('%s: below %s, newest %s', (_what, lowMark, newest, names) => {
  const { published } = planRetention({ partitions, lowMark, newest }, 100)
  expect(published.map(({ name }) => name)).toEqual(names)
})

test.each([
  ['far from the end', 50, []],
  ['two partitions are ready', 99, []],
  ['one is too few', 150, [400]],
  ['none is left', 299, [400, 500]],
  ['the last one has rows: they would have to be copied', 300, []],
])('%s: newest %s', (_what, newest, add) => {
  expect(planRetention({ partitions, lowMark: 1, newest }, 100).add).toEqual(add)
})
