import { expect, test } from 'vitest'
import { parseFlowEvent } from '../../flow/flow-event.ts'
import { createHandledRecords } from './handled-records.ts'

const line = (msg: string, offset: number, partition = 0) =>
  JSON.stringify({
    msg,
    topic: 'user',
    partition,
    offset: String(offset),
    batch: 1,
    attempts: 1,
    ...(msg === 'record dead-lettered' && {
      category: 'not retryable',
      reason: 'no',
      deadLetterTopic: 'user.g.dlt',
      deadLetterPartition: 0,
      deadLetterOffset: '0',
    }),
  })

test('what the group committed without having processed or dead-lettered it is missing', () => {
  const handled = createHandledRecords()
  const committed = {
    msg: 'batch committed',
    topic: 'user',
    partition: 0,
    batch: 1,
    records: 3,
    firstOffset: '7',
  }
  const lines = [
    line('record processed', 7),
    line('record dead-lettered', 8),
    line('record processed', 9, 1),
    line('record processed', 10),
    JSON.stringify({ ...committed, nextOffset: '11' }),
  ]
  for (const text of lines) handled.apply(parseFlowEvent(text)!)

  const written = { topic: 'user', partition: 0, from: 7n, to: 11n }
  expect(handled.missingOf([written])).toEqual(['user/0@9'])
  handled.apply(parseFlowEvent(line('record processed', 9))!)
  expect(handled.missingOf([written])).toEqual([])
})
