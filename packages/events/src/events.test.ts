import { describe, expect, test } from 'vitest'
import { CreateRequest, EntityCreated } from './entity-created.ts'
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
