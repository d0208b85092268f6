import {
  BatchSendError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
} from '@kafka-pattern/kafka-config'
import { expect, test } from 'vitest'
import { RowTooLargeError, namingTheRow } from './row-too-large.ts'

// By characters the second one is as large as the third.
const records = ['', 'aaa', 'äää', null].map((value, index) => ({ topic: 't', key: `key-${index}`, value }))
const tooLarge = new RecordTooLargeError('t', 5, 'a limit of 4 bytes')
const stored = { topic: 't', partition: 0, offset: '0' }

test.each<[string, unknown]>([
  ['all refused before anything was sent: the largest one', tooLarge],
  ['one refused by the broker', new BatchSendError([stored, stored, tooLarge, stored])],
])('%s is named, with its table and what to do', (_name, error) => {
  const named = namingTheRow(error, 'users', records)
  expect(named).toBeInstanceOf(RowTooLargeError)
  expect(String(named)).toMatch(/the row key-2 of users .*a limit of 4 bytes.*: make it smaller/)
})

test.each<[string, unknown]>([
  ['a full queue', new QueueFullError(1, 5, 'much')],
  [
    'records that were refused for another reason',
    new BatchSendError([new RecordRefusedError('t', 0, 'X', 'no')]),
  ],
  ['a defect', new TypeError('x is not a function')],
])('%s stays what it is', (_name, error) => {
  expect(namingTheRow(error, 'users', records)).toBe(error)
})
