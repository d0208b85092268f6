import { expect, test } from 'vitest'
import { parseAddress } from './examine-kafka.ts'

test.each([
  ['localhost:9092', { host: 'localhost', port: 9092 }],
  [' 127.0.0.1:19092 ', { host: '127.0.0.1', port: 19_092 }],
  ['[::1]:9092', { host: '::1', port: 9092 }],
  ['localhost', null],
  ['localhost:0', null],
  ['localhost:70000', null],
  ['::1:9092', null],
  ['', null],
])('%s', (text, address) => {
  expect(parseAddress(text)).toEqual(address)
})
