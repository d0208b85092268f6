import {
  BatchSendError,
  DeliveryTimeoutError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
} from '@kafka-pattern/kafka-config'
import { expect, test } from 'vitest'
import { tooLargeAmong } from './rows-too-large.ts'

// By characters the second one is as large as the third.
const records = ['', 'aaa', 'äää', null].map((value, index) => ({ topic: 't', key: `key-${index}`, value }))
const [first, second, third, fourth] = records
const tooLarge = new RecordTooLargeError('t', 5, 'a limit of 4 bytes')
const stored = { topic: 't', partition: 0, offset: '0' }
const timeout = new DeliveryTimeoutError('t', 0, 10, false, undefined)

test.each<[string, unknown, unknown]>([
  ['all refused before anything was sent: the largest one', tooLarge, [first, second, fourth]],
  [
    'one refused by the broker, the others stored',
    new BatchSendError([stored, stored, tooLarge, stored]),
    [],
  ],
  [
    'one refused by the broker, another not answered: all others again, in their order',
    new BatchSendError([stored, timeout, tooLarge, stored]),
    [first, second, fourth],
  ],
])('%s', (_name, error, rest) => {
  expect(tooLargeAmong(error, records)).toEqual({
    tooLarge: [{ record: third, reason: expect.stringContaining('a limit of 4 bytes') }],
    rest,
  })
})

test.each<[string, unknown]>([
  ['a full queue', new QueueFullError(1, 5, 'much')],
  ['a record refused for another reason', new BatchSendError([new RecordRefusedError('t', 0, 'X', 'no')])],
  ['a defect', new TypeError('x is not a function')],
])('%s says nothing of the size of a record', (_name, error) => {
  expect(tooLargeAmong(error, records)).toBe(null)
})
