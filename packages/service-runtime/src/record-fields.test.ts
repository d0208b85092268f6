import { expect, test } from 'vitest'
import { recordFields } from './record-fields.ts'

const place = { topic: 'user', partition: 2, offset: '9007199254740993' }

test('says where the record is, whose it is and which request it belongs to', () => {
  const key = Buffer.from('6f1c')
  const headers = { 'correlation-id': Buffer.from('c-1'), other: Buffer.from('x') }
  expect(recordFields({ ...place, key, headers })).toEqual({ ...place, key: '6f1c', correlationId: 'c-1' })
})

test.each<[string, Buffer | string | null, string | null]>([
  ['text', 'ada', 'ada'],
  ['UTF-8', Buffer.from('Zoë'), 'Zoë'],
  ['other bytes', Buffer.from([0xff, 0x00, 0x10]), '0xff0010'],
  ['empty', Buffer.alloc(0), ''],
  ['none', null, null],
])('a key of %s', (_name, key, text) => {
  expect(recordFields({ ...place, key }).key).toBe(text)
})

test.each([
  ['no headers', undefined],
  ['no such header', { id: Buffer.from('1') }],
  ['a header without a value', { 'correlation-id': null }],
])('no correlation id: %s', (_name, headers) => {
  expect(recordFields({ ...place, key: null, headers }).correlationId).toBeUndefined()
})

test('takes a whole consumed record and leaves its value out', () => {
  const record = { ...place, key: null, value: Buffer.from('private'), timestamp: '1', attributes: 0 }
  expect(Object.keys(recordFields(record))).toEqual(['topic', 'partition', 'offset', 'key', 'correlationId'])
})
