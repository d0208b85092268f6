import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  DEAD_LETTER_HEADERS,
  deadLetterTopic,
  isDeadLetterTopic,
  readDeadLetter,
  toDeadLetter,
} from './dead-letter.ts'
import type { ConsumedRecord, Failure, Headers } from './dead-letter.ts'

const record: ConsumedRecord = {
  topic: 'user',
  partition: 3,
  offset: '9007199254740993',
  timestamp: '1795460000123',
  key: Buffer.from('6f1c'),
  value: Buffer.from('{"level":'),
  headers: { 'correlation-id': Buffer.from('c-1'), tag: [Buffer.from('a'), Buffer.from('b')] },
}

const failure: Failure = {
  category: 'retries exhausted',
  errorClass: 'TimeoutError',
  message: 'the downstream did not answer',
  attempts: 4,
  firstFailureAt: new Date('2026-11-23T10:00:00.001Z'),
  lastFailureAt: new Date('2026-11-23T10:00:07.250Z'),
  group: 'billing',
  host: 'worker-1',
}

function bytes(value: Buffer | string | null): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}

/** What a consumer of the dead-letter topic gets: header values as bytes. */
function stored(letter: ReturnType<typeof toDeadLetter>): {
  key: Buffer | null
  value: Buffer | null
  headers: Headers
} {
  const headers = Object.entries(letter.headers ?? {}).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(bytes) : bytes(value),
  ])
  const { key, value } = letter
  if (typeof key === 'string' || typeof value === 'string') throw new TypeError('bytes became text')
  return { key, value, headers: Object.fromEntries(headers) }
}

test('the topic is named after the topic and the group', () => {
  expect(deadLetterTopic('user', 'billing')).toBe('user.billing.dlt')
  expect(isDeadLetterTopic('user.billing.dlt')).toBe(true)
  expect(isDeadLetterTopic('user')).toBe(false)
})

test('a dead letter says where its record was and why it was given up', () => {
  const letter = toDeadLetter(record, failure)
  expect(letter).toMatchObject({ topic: 'user.billing.dlt', timestamp: 1_795_460_000_123 })
  expect(letter.headers).toEqual({
    ...record.headers,
    'dlt.topic': 'user',
    'dlt.partition': '3',
    'dlt.offset': '9007199254740993',
    'dlt.timestamp': '1795460000123',
    'dlt.error-class': 'TimeoutError',
    'dlt.error-message': 'the downstream did not answer',
    'dlt.category': 'retries exhausted',
    'dlt.attempts': '4',
    'dlt.first-failure': '2026-11-23T10:00:00.001Z',
    'dlt.last-failure': '2026-11-23T10:00:07.250Z',
    'dlt.group': 'billing',
    'dlt.host': 'worker-1',
  })
})

test('key and value are the same bytes, not a copy through text', () => {
  const letter = toDeadLetter(record, failure)
  expect(letter.key).toBe(record.key)
  expect(letter.value).toBe(record.value)
})

test.each([
  ['none', '-1'],
  ['one in nanoseconds', '1795460000123456789'],
])('a timestamp that no producer can send, %s, is only said by a header', (_what, timestamp) => {
  const letter = toDeadLetter({ ...record, timestamp }, failure)
  expect(letter).not.toHaveProperty('timestamp')
  expect(letter.headers).toMatchObject({ 'dlt.timestamp': timestamp })
})

test('the record is not changed', () => {
  const headers = { tag: [Buffer.from('a')], 'dlt.topic': [Buffer.from('x'), Buffer.from('y')] }
  toDeadLetter({ ...record, headers }, failure)
  expect(headers).toEqual({ tag: [Buffer.from('a')], 'dlt.topic': [Buffer.from('x'), Buffer.from('y')] })
})

test('reading a dead letter does not change it', () => {
  const letter = stored(
    toDeadLetter({ ...record, headers: { 'dlt.topic': Buffer.from('earlier') } }, failure),
  )
  const before = Object.keys(letter.headers)
  readDeadLetter(letter)
  expect(Object.keys(letter.headers)).toEqual(before)
  expect(letter.headers['dlt.topic']).toEqual([Buffer.from('earlier'), Buffer.from('user')])
})

describe('what was put in comes back', () => {
  test.each<[string, Partial<ConsumedRecord>]>([
    ['a record as usual', {}],
    ['a tombstone', { value: null }],
    ['no key', { key: null }],
    ['empty key and value', { key: Buffer.alloc(0), value: Buffer.alloc(0) }],
    ['bytes that are no UTF-8', { key: Buffer.from([0xff, 0xfe]), value: Buffer.from([0x00, 0xff, 0x80]) }],
    ['no headers', { headers: {} }],
    ['a header without a value', { headers: { flag: null } }],
    [
      'a repeated header, one without a value',
      { headers: { tag: [Buffer.from('a'), null, Buffer.alloc(0)] } },
    ],
    [
      'headers named like properties of objects',
      { headers: { constructor: Buffer.from('c'), toString: Buffer.from('t') } },
    ],
    ['no timestamp', { timestamp: '-1' }],
    ['a timestamp in nanoseconds', { timestamp: '1795460000123456789' }],
    ['the largest offset', { offset: '9223372036854775807' }],
  ])('%s', (_name, part) => {
    const original = { ...record, ...part }
    const read = readDeadLetter(stored(toDeadLetter(original, failure)))
    expect(read).toEqual({ ok: true, original, failure })
  })

  test('a dead letter that was itself given up: both failures can be read, one after the other', () => {
    const first = stored(toDeadLetter(record, failure))
    const place = { topic: 'user.billing.dlt', partition: 0, offset: '7', timestamp: record.timestamp }
    const again: Failure = { ...failure, category: 'not retryable', group: 'repair', attempts: 1 }
    const outer = readDeadLetter(stored(toDeadLetter({ ...place, ...first }, again)))
    expect(outer).toMatchObject({ ok: true, failure: again, original: place })
    if (!outer.ok) throw new Error(outer.reason)
    expect(readDeadLetter(outer.original)).toEqual({ ok: true, original: record, failure })
  })

  test('any record: 2,000 random ones', () => {
    for (let run = 0; run < 2_000; run++) {
      const original = randomRecord()
      const why: Failure = {
        ...failure,
        category: pick(['not retryable', 'retries exhausted']),
        message: randomText(200),
        attempts: Math.ceil(Math.random() * 50),
        lastFailureAt: new Date(Math.floor(Math.random() * 4e12)),
      }
      const read = readDeadLetter(stored(toDeadLetter(original, why)))
      expect(read).toEqual({ ok: true, original, failure: why })
    }
  })
})

test('a long message is cut, so that a dead letter is not much larger than its record', () => {
  const letter = toDeadLetter(record, {
    ...failure,
    message: '💥'.repeat(5_000),
    errorClass: 'E'.repeat(5_000),
  })
  const message = String(letter.headers?.[DEAD_LETTER_HEADERS.errorMessage])
  expect(message).toHaveLength(1_000)
  expect(message.isWellFormed()).toBe(true)
  expect(String(letter.headers?.[DEAD_LETTER_HEADERS.errorClass])).toHaveLength(1_000)
})

describe('a record that is no dead letter is told apart, and why', () => {
  const letter = stored(toDeadLetter(record, failure))
  test.each<[string, Headers | undefined, RegExp]>([
    ['no headers', undefined, /topic: /],
    ['a header missing', { ...letter.headers, 'dlt.offset': undefined }, /offset: /],
    ['a header without a value', { ...letter.headers, 'dlt.group': null }, /group: /],
    ['a partition that is no number', { ...letter.headers, 'dlt.partition': 'three' }, /partition: /],
    ['an unknown category', { ...letter.headers, 'dlt.category': 'unlucky' }, /category: /],
    ['a time that is none', { ...letter.headers, 'dlt.last-failure': 'yesterday' }, /lastFailure: /],
  ])('%s', (_name, headers, reason) => {
    const read = readDeadLetter({ ...letter, headers })
    expect(read).toEqual({ ok: false, reason: expect.stringMatching(/^not a dead letter: /) })
    expect(read).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })
})

function randomRecord(): ConsumedRecord {
  const value = () => pick([null, Buffer.alloc(0), randomBytes(Math.ceil(Math.random() * 20))])
  const names = ['id', 'tag', 'dlt.replayed-from', 'dlt.topic', 'dlt.attempts', randomText(6), '__proto__']
  const headers: Headers = Object.fromEntries(
    names
      .filter(() => Math.random() < 0.6)
      .map(name => [name, Math.random() < 0.5 ? value() : [value(), value(), value()]]),
  )
  return {
    topic: pick(['user', 'a.b.dlt', 'x']),
    partition: Math.floor(Math.random() * 100),
    offset: String(Math.floor(Math.random() * Number.MAX_SAFE_INTEGER)),
    timestamp: String(Math.floor(Math.random() * 4e12)),
    key: value(),
    value: value(),
    headers,
  }
}

function randomText(mostLength: number): string {
  const characters: [string, ...string[]] = ['a', 'Z', '0', ' ', '\n', '"', 'ü', '漢', '💥', '\u0000']
  return Array.from({ length: Math.floor(Math.random() * mostLength) / 2 }, () => pick(characters)).join('')
}

function pick<T>(choices: [T, ...T[]]): T {
  return choices[Math.floor(Math.random() * choices.length)] ?? choices[0]
}
