import { expect, test } from 'vitest'
import { isAsPredicted, ledgerOf } from './ledger.ts'

test.each([
  { committed: [], arrived: [], expected: [0, 0, 0, 0] },
  { committed: ['a', 'b'], arrived: ['b', 'a', 'b'], expected: [2, 2, 0, 0] },
  { committed: ['a', 'b', 'c'], arrived: ['b'], expected: [3, 1, 2, 0] },
  { committed: ['a'], arrived: ['x', 'x'], expected: [1, 0, 1, 1] },
])('$committed committed, $arrived arrived', ({ committed, arrived, expected }) => {
  const { changes, seen, lost, invented } = ledgerOf('way', committed, arrived)
  expect([changes, seen, lost, invented]).toEqual(expected)
})

const predicted = { naive: { lost: 1, invented: 0 }, ours: { lost: 0, invented: 0 } }
const naive = ledgerOf('naive', ['a', 'b'], ['a'])

test.each([
  ['just that was found', [naive, ledgerOf('ours', ['a'], ['a'])], true],
  ['what should have been lost was not', [ledgerOf('naive', ['a'], ['a']), ledgerOf('ours', [], [])], false],
  ['something was lost that should not', [naive, ledgerOf('ours', ['a'], [])], false],
  ['something was invented', [naive, ledgerOf('ours', [], ['a'])], false],
  ['a way was not gone', [naive], false],
])('%s', (_what, ledgers, expected) => {
  expect(isAsPredicted(ledgers, predicted)).toBe(expected)
})
