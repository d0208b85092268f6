import { expect, test } from 'vitest'
import { judgeRecords } from './judge-records.ts'

const sent = (key: string | null, sequence: number, isAcknowledged = true) => ({
  key,
  sequence,
  sentAt: 0,
  acknowledged: isAcknowledged ? { at: 1, partition: 0 } : null,
})
const found = (key: string, sequence: number) => ({ key, sequence })

test('all that was acknowledged is there, in order', () => {
  const judgement = judgeRecords(
    [sent('a', 1), sent('a', 2), sent('b', 0), sent(null, 0, false)],
    [found('a', 1), found('b', 0), found('a', 2), found('of somebody else', 0)],
  )
  expect(judgement).toEqual({ acknowledged: 3, lost: [], outOfOrder: [], twice: 0 })
})

test('what was acknowledged and is not there is lost; what was not acknowledged may be there or not', () => {
  const records = [sent('a', 1), sent('a', 2), sent('b', 1, false), sent('b', 2, false)]
  expect(judgeRecords(records, [found('a', 2), found('b', 1)])).toMatchObject({
    acknowledged: 2,
    lost: ['a 1'],
  })
})

test('a repetition is counted, and is no disorder', () => {
  const records = [1, 2, 3].map(sequence => sent('a', sequence))
  const judgement = judgeRecords(
    records,
    [1, 2, 1, 2, 3].map(sequence => found('a', sequence)),
  )
  expect(judgement).toMatchObject({ lost: [], outOfOrder: [], twice: 2 })
})

test('a record that comes first after a later one of its key is out of order', () => {
  const records = [sent('a', 1), sent('a', 2), sent('b', 1)]
  expect(judgeRecords(records, [found('a', 2), found('b', 1), found('a', 1)]).outOfOrder).toEqual(['a 1'])
})
