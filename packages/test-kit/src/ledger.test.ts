import { describe, expect, test } from 'vitest'
import { Ledger, type LedgerEntry } from './ledger.ts'

const clean: LedgerEntry = { sent: 3, seen: 3, duplicated: 0, reordered: 0, lost: 0, unexpected: 0 }

const cases: { name: string; sent: number[]; seen: number[]; expected: LedgerEntry }[] = [
  { name: 'all seen once, in order', sent: [1, 2, 3], seen: [1, 2, 3], expected: clean },
  { name: 'nothing seen', sent: [1, 2, 3], seen: [], expected: { ...clean, seen: 0, lost: 3 } },
  { name: 'one lost in the middle', sent: [1, 2, 3], seen: [1, 3], expected: { ...clean, seen: 2, lost: 1 } },
  { name: 'a batch again', sent: [1, 2, 3], seen: [1, 2, 1, 2, 3], expected: { ...clean, duplicated: 2 } },
  {
    name: 'one seen three times',
    sent: [1, 2, 3],
    seen: [1, 1, 1, 2, 3],
    expected: { ...clean, duplicated: 2 },
  },
  { name: 'two swapped', sent: [1, 2, 3], seen: [2, 1, 3], expected: { ...clean, reordered: 1 } },
  { name: 'the first comes last', sent: [1, 2, 3], seen: [2, 3, 1], expected: { ...clean, reordered: 1 } },
  { name: 'reversed', sent: [1, 2, 3], seen: [3, 2, 1], expected: { ...clean, reordered: 2 } },
  {
    name: 'one too many',
    sent: [1, 2, 3],
    seen: [1, 2, 3, 4],
    expected: { ...clean, seen: 4, unexpected: 1 },
  },
  {
    name: 'a gap filled late and one lost',
    sent: [1, 2, 3, 4],
    seen: [1, 3, 2, 3],
    expected: { sent: 4, seen: 3, duplicated: 1, reordered: 1, lost: 1, unexpected: 0 },
  },
]

describe('the ledger counts', () => {
  test.each(cases)('$name', ({ sent, seen, expected }) => {
    const ledger = new Ledger()
    for (const sequence of sent) ledger.sent('k', sequence)
    for (const sequence of seen) ledger.seen('k', sequence)
    expect(ledger.report().keys.get('k')).toEqual(expected)
  })

  test('each key by itself, and all together', () => {
    const ledger = new Ledger()
    ledger.sent('a', 1)
    ledger.sent('a', 2)
    ledger.sent('b', 1)
    // Order between keys promises nothing, so this is in order.
    ledger.seen('a', 2, 't/0/7')
    ledger.seen('b', 1, 't/0/8')
    ledger.seen('b', 1, 't/0/9')
    const report = ledger.report()
    expect(report.keys.get('a')).toMatchObject({ lost: 1, duplicated: 0, reordered: 0 })
    expect(report.keys.get('b')).toMatchObject({ lost: 0, duplicated: 1, reordered: 0 })
    expect(report.total).toEqual({ sent: 3, seen: 2, duplicated: 1, reordered: 0, lost: 1, unexpected: 0 })
    expect(report.faults).toEqual(['lost: a #1', 'duplicated: b #1 at t/0/9, first at t/0/8'])
  })
})
