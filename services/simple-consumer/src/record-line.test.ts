import { expect, test } from 'vitest'
import { recordLine } from './record-line.ts'

function bytes(part: string | Buffer | null): Buffer | null {
  return typeof part === 'string' ? Buffer.from(part) : part
}

function line(key: string | Buffer | null, value: string | Buffer | null): string {
  return recordLine('user', 2, { offset: '17', key: bytes(key), value: bytes(value) })
}

test('the line says where the record is, and shows JSON as it is', () => {
  const value = '{"name":"Zoë 🚀 \\"quoted\\" \\n","level":1}'
  expect(line('k-1', value)).toBe(`[consume] user 2 17 k-1 ${value}\n`)
})

test.each([
  ['a tombstone', 'k', null, 'k null'],
  ['a missing key', null, 'v', 'null v'],
  ['an empty key', '', 'v', '"" v'],
  ['an empty value', 'k', '', 'k '],
  ['a space in the value', 'k', 'a b', 'k a b'],
  ['a space in the key', 'a b', 'v', 'a\\u0020b v'],
  ['a no-break space in the key', 'a\u00a0b', 'v', 'a\\u00a0b v'],
  ['a forged second line', 'k', 'x\n[consume] user 0 1 k y', 'k x\\n[consume] user 0 1 k y'],
  ['a line break in the key', 'k\r\n', 'v', 'k\\r\\n v'],
  ['an ANSI escape sequence', 'k', '\u001b[2J\u0007', 'k \\u001b[2J\\u0007'],
  ['the C1 form of the same', 'k', '\u009b2J', 'k \\u009b2J'],
  ['tab, NUL and DEL', 'k', '\t\0\u007f', 'k \\t\\u0000\\u007f'],
  ['line and paragraph separators', 'k', '\u2028\u2029\u0085', 'k \\u2028\\u2029\\u0085'],
  ['text that turns its direction around', 'k', '\u202egnp.exe', 'k \\u202egnp.exe'],
  ['a real replacement character', 'k', '\ufffd', 'k \ufffd'],
  ['a joined emoji', 'k', '👩‍🚀', 'k 👩‍🚀'],
  [
    'bytes that are not UTF-8',
    Buffer.from([0xff, 0x41]),
    Buffer.from('61c3280a', 'hex'),
    '\\xffA a\\xc3(\\n',
  ],
])('%s stays on its one line', (_what, key, value, shown) => {
  expect(line(key, value)).toBe(`[consume] user 2 17 ${shown}\n`)
})

test('whatever the bytes are, it is one line of printable characters', () => {
  // A linear congruential generator (Numerical Recipes): the same bytes in every run.
  let state = 1
  const nextByte = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24
  for (let i = 0; i < 2_000; i++) {
    const part = Buffer.from(Array.from({ length: i % 40 }, nextByte))
    const shown = line(part, part)
    expect(shown.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
    expect(shown.endsWith('\n')).toBe(true)
    expect(shown.split(' ')[4]).not.toBe('')
  }
})
