import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { CreateRequest, createdEntityRecord, EntityCreated, isPlainEntityCreated } from './entity-created.ts'
import { HEADERS, headerText } from './headers.ts'
import type { RecordHeaders } from './headers.ts'
import { parseRecordValue } from './parse-record-value.ts'
import { entityTopicSpec } from './topics.ts'

const created: EntityCreated = {
  id: '6f1c0f4e-3c1b-4c59-9e54-0b0f6f1a2b3c',
  event: 'create',
  level: 7,
  name: 'Ada',
}
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('parseRecordValue', () => {
  test('gives the value that was written', () => {
    expect(parseRecordValue(EntityCreated, bytes(created))).toEqual({ ok: true, value: created })
  })

  test('drops fields that it does not know, so that a producer may be newer', () => {
    const parsed = parseRecordValue(EntityCreated, bytes({ ...created, since: 2026 }))
    expect(parsed).toEqual({ ok: true, value: created })
  })

  test('takes a replacement character that somebody chose', () => {
    const value = { ...created, name: 'A\uFFFDa' }
    expect(parseRecordValue(EntityCreated, bytes(value))).toEqual({ ok: true, value })
  })

  test('asks the schema about what is not plain', () => {
    for (const value of [created, { ...created, since: 2026 }, { ...created, level: 101 }]) {
      expect(parseRecordValue(EntityCreated, bytes(value), isPlainEntityCreated)).toEqual(
        parseRecordValue(EntityCreated, bytes(value)),
      )
    }
  })

  test.each<[string, Buffer | null, RegExp]>([
    ['null', null, /^value is null \(a tombstone\)$/],
    ['empty', Buffer.alloc(0), /^value is not JSON: /],
    ['no JSON', Buffer.from('{"id": '), /^value is not JSON: /],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), /^value is not JSON: not UTF-8$/],
    ['another type', Buffer.from('[]'), /^value is not of the schema: .*expected object/],
    ['a field missing', bytes({ ...created, name: undefined }), /^value is not of the schema: name: /],
    [
      'several fields wrong, all named',
      bytes({ ...created, id: 'x', level: 101 }),
      /^value is not of the schema: id: .*; level: /,
    ],
  ])('says why not: %s', (_name, value, reason) => {
    const parsed = parseRecordValue(EntityCreated, value)
    expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })
})

describe('isPlainEntityCreated', () => {
  const variants: Record<keyof EntityCreated, unknown[]> = {
    id: [
      created.id,
      created.id.toUpperCase(),
      created.id.slice(1),
      `${created.id}\n`,
      randomUUID(),
      7,
      null,
      [],
    ],
    event: ['create', 'Create', '', 1, null, ['create']],
    level: [0, 100, 50, -0, -1, 101, 1.5, 1e300, '7', true, null],
    name: [
      'A',
      'x'.repeat(200),
      '\u{1F600}'.repeat(100),
      '',
      'x'.repeat(201),
      '\u{1F600}'.repeat(101),
      7,
      null,
    ],
  }
  const combinations = variants.id.flatMap(id =>
    variants.event.flatMap(event =>
      variants.level.flatMap(level => variants.name.map(name => ({ id, event, level, name }))),
    ),
  )
  const others: unknown[] = [
    null,
    undefined,
    7,
    'text',
    [],
    Object.values(created),
    { ...created, since: 2026 },
    { ...created, name: undefined },
    JSON.parse(JSON.stringify(created).replace('"name"', '"__proto__"')),
  ]

  test('takes nothing that the schema does not take, and nothing that it would change', () => {
    for (const json of [...combinations, ...others].filter(isPlainEntityCreated)) {
      expect(EntityCreated.safeParse(json)).toEqual({ success: true, data: json })
    }
    expect(others.filter(isPlainEntityCreated)).toEqual([])
  })

  test('takes what our producers write', () => {
    const levels = [0, 7, 100]
    const records = levels.map(level =>
      createdEntityRecord({ level, name: 'Ada' }, { topic: 'user-topic', correlationId: 'c' }),
    )
    expect(records.map(({ value }) => isPlainEntityCreated(JSON.parse(value)))).toEqual([true, true, true])
  })
})

describe('the schema of a request', () => {
  test.each<[string, unknown]>([
    ['the least', { level: 0, name: 'A' }],
    ['the most', { level: 100, name: 'x'.repeat(200) }],
  ])('takes %s', (_name, request) => {
    expect(CreateRequest.parse(request)).toEqual(request)
  })

  test.each<[string, unknown]>([
    ['a level below 0', { level: -1, name: 'A' }],
    ['a level above 100', { level: 101, name: 'A' }],
    ['half a level', { level: 1.5, name: 'A' }],
    ['a level as text', { level: '1', name: 'A' }],
    ['an empty name', { level: 1, name: '' }],
    ['a name of 201 characters', { level: 1, name: 'x'.repeat(201) }],
    ['no name', { level: 1 }],
    ['null', null],
  ])('refuses %s', (_name, request) => {
    expect(CreateRequest.safeParse(request).success).toBe(false)
  })
})

test.each<[string, RecordHeaders | undefined, string | undefined]>([
  ['bytes', { 'correlation-id': Buffer.from('c-1 ü') }, 'c-1 ü'],
  ['text', { 'correlation-id': 'c-1' }, 'c-1'],
  ['the first of several', { 'correlation-id': [Buffer.from('c-1'), Buffer.from('c-2')] }, 'c-1'],
  ['no value', { 'correlation-id': null }, undefined],
  ['empty', { 'correlation-id': Buffer.alloc(0) }, ''],
  ['another header', { id: 'x' }, undefined],
  ['no headers', undefined, undefined],
])('headerText of %s', (_name, headers, text) => {
  expect(headerText(headers, HEADERS.correlationId)).toBe(text)
})

test('replicas that are left to the brokers: so is how many of them a write needs', () => {
  expect(entityTopicSpec('user')).toMatchObject({ replicationFactor: -1, configs: {} })
  expect(entityTopicSpec('user').configs).not.toHaveProperty(['min.insync.replicas'])
})

test.each([
  [1, '1'],
  [2, '1'],
  [3, '2'],
])('with %i replicas a write to an entity topic needs %s', (replicationFactor, minInsyncReplicas) => {
  const spec = entityTopicSpec('user', replicationFactor)
  expect(spec).toMatchObject({ topic: 'user', replicationFactor })
  expect(spec.configs['min.insync.replicas']).toBe(minInsyncReplicas)
})
