import { expect, test } from 'vitest'
import { parseJsonBody, UnreadableBodyError } from './json-body.ts'

test.each<[what: string, body: string, value: unknown]>([
  ['an object', '{"name":"Zoë 🚀"}', { name: 'Zoë 🚀' }],
  ['what is no object', 'null', null],
  ['JSON behind a byte order mark', '\u{feff}[1]', [1]],
  ['a replacement character that was sent', '"\u{fffd}"', '\u{fffd}'],
  ['a constructor that is only a name', '{"constructor":"a"}', { constructor: 'a' }],
])('reads %s', (_what, body, value) => {
  expect(parseJsonBody(Buffer.from(body))).toEqual(value)
})

test.each<[what: string, body: Buffer, problem: RegExp]>([
  ['nothing', Buffer.alloc(0), /empty/],
  ['Latin-1', Buffer.from('{"name":"Zoë"}', 'latin1'), /not UTF-8/],
  ['UTF-16', Buffer.from('\u{feff}{"name":"Zoë"}', 'utf16le'), /not UTF-8/],
  ['a character of which the end is missing', Buffer.from('"🚀"').subarray(0, 4), /not UTF-8/],
  ['half of it', Buffer.from('{"name":'), /not valid JSON/],
  ['a byte order mark alone', Buffer.from('\u{feff}'), /not valid JSON/],
  ['a prototype', Buffer.from('{"__proto__":{}}'), /not valid JSON/],
  ['a prototype in another notation, further in', Buffer.from('[{"__prot\\u006f__":1}]'), /not valid JSON/],
  ["a constructor's prototype", Buffer.from('{"constructor":{"prototype":{}}}'), /not valid JSON/],
])('refuses %s', (_what, body, problem) => {
  expect(() => parseJsonBody(body)).toThrow(UnreadableBodyError)
  expect(() => parseJsonBody(body)).toThrow(problem)
})
