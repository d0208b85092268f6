import {
  BatchSendError,
  DeliveryTimeoutError,
  QueueFullError,
  RecordTooLargeError,
  recordSizeBytes,
} from '@kafka-pattern/kafka-config'
import { expect, test } from 'vitest'
import { leftAfter, settledKeys } from './unstored-records.ts'

const records = ['', 'aaa', 'äää', null].map((value, index) => ({ topic: 't', key: `key-${index}`, value }))
const [first, second, third, fourth] = records
const tooLarge = new RecordTooLargeError('t', recordSizeBytes(third!), 'a limit of 4 bytes')
const stored = { topic: 't', partition: 0, offset: '0' }
const timeout = new DeliveryTimeoutError('t', 0, 10, false, undefined)

test.each<[string, unknown, unknown]>([
  ['all refused before anything was sent, because of one', tooLarge, [first, second, fourth]],
  [
    'one refused by the broker, the others stored',
    new BatchSendError([stored, stored, tooLarge, stored]),
    [],
  ],
  [
    'one refused by the broker, another not answered: that one again',
    new BatchSendError([stored, timeout, tooLarge, stored]),
    [second],
  ],
])('%s', (_name, error, rest) => {
  expect(leftAfter(error, records)).toEqual({
    tooLarge: [{ record: third, reason: expect.stringContaining('a limit of 4 bytes') }],
    rest,
  })
})

test('what is stored is not sent again, but all records of a key that has one which is not, in their order', () => {
  const state = { topic: 't', key: 'deleted', value: '{}' }
  const tombstone = { topic: 't', key: 'deleted', value: null }
  const other = { topic: 't', key: 'other', value: '{}' }
  const error = new BatchSendError([timeout, stored, stored])
  expect(leftAfter(error, [state, tombstone, other])).toEqual({ tooLarge: [], rest: [state, tombstone] })
})

test('of a deleted row whose state is too large the tombstone is sent all the same', () => {
  const state = { topic: 't', key: 'deleted', value: '{}' }
  const tombstone = { topic: 't', key: 'deleted', value: null }
  expect(leftAfter(new BatchSendError([tooLarge, timeout]), [state, tombstone])).toEqual({
    tooLarge: [{ record: state, reason: tooLarge.message }],
    rest: [tombstone],
  })
})

test.each<[string, unknown]>([
  ['a full queue', new QueueFullError(1, 5, 'much')],
  ['a defect', new TypeError('x is not a function')],
])('%s says nothing of single records', (_name, error) => {
  expect(leftAfter(error, records)).toBe(null)
})

test('what was noted of a row is over when its state was stored, or its tombstone', () => {
  const [whole, changed, deleted] = ['whole', 'changed', 'deleted'].map(key => ({
    topic: 't',
    key,
    value: '{}',
  }))
  const tombstone = { topic: 't', key: 'deleted', value: null }
  const page = [whole!, changed!, deleted!, tombstone]
  expect(settledKeys(page, new Set([changed!, deleted!]))).toEqual(['whole', 'deleted'])
  expect(settledKeys(page, new Set([deleted!, tombstone]))).toEqual(['whole', 'changed'])
})
