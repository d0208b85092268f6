import { CreateRequest } from '@kafka-pattern/events'
import { expect, test } from 'vitest'
import httpApiEvent from '../events/http-api-v2.json' with { type: 'json' }
import restApiEvent from '../events/rest-api-v1.json' with { type: 'json' }
import { readEvent } from './read-event.ts'

const base64 = (bytes: string | Buffer) => Buffer.from(bytes).toString('base64')
const ada = '{"level": 42, "name": "Ada"}'

test.each([
  ['REST API, payload 1.0', restApiEvent, 'rest-api-1', { level: 42, name: 'Ada' }],
  ['HTTP API, payload 2.0, base64', httpApiEvent, 'http-api-1', { level: 43, name: 'Grace' }],
  [
    'by hand, without headers',
    { body: ada },
    expect.stringMatching(/^[0-9a-f-]{36}$/),
    CreateRequest.parse(JSON.parse(ada)),
  ],
  ['a byte order mark', { body: `\u{feff}${ada}` }, expect.any(String), { level: 42, name: 'Ada' }],
  ['by hand, headers null', { body: ada, headers: null }, expect.any(String), { level: 42, name: 'Ada' }],
  [
    'a charset in the content type',
    { body: ada, headers: { 'Content-Type': 'application/json; charset=utf-8', 'x-correlation-id': 'c' } },
    'c',
    { level: 42, name: 'Ada' },
  ],
])('reads %s', (_what, event, correlationId, request) => {
  expect(readEvent(event)).toEqual({ kind: 'create', correlationId, request })
})

test.each<[what: string, event: unknown, status: number, fields: string[] | null]>([
  ['no event', null, 400, ['event']],
  ['an array', [], 400, ['event']],
  ['a text', 'event', 400, ['event']],
  ['an event whose body is no text', { body: { level: 1, name: 'a' } }, 400, ['body']],
  ['no body', {}, 400, ['body']],
  ['a body that is null', { ...restApiEvent, body: null }, 400, ['body']],
  ['an empty body', { ...httpApiEvent, body: '' }, 400, ['body']],
  ['an empty body of no type', { body: '', headers: {} }, 400, ['body']],
  ['wrong base64', { ...httpApiEvent, body: `${httpApiEvent.body}!` }, 400, ['body']],
  ['half a base64 group', { ...httpApiEvent, body: httpApiEvent.body.slice(0, -1) }, 400, ['body']],
  ['base64 that is not said to be', { ...httpApiEvent, isBase64Encoded: false }, 400, ['body']],
  [
    'bytes that are no UTF-8',
    { ...httpApiEvent, body: base64(Buffer.from([0x22, 0xff, 0x22])) },
    400,
    ['body'],
  ],
  ['a prototype', { ...restApiEvent, body: `{"__proto__":{},${ada.slice(1)}` }, 400, ['body']],
  ['no JSON', { ...restApiEvent, body: '{"level":' }, 400, ['body']],
  ['an array as body', { ...restApiEvent, body: '[]' }, 400, ['body']],
  ['null as body', { ...restApiEvent, body: 'null' }, 400, ['body']],
  ['no field', { ...restApiEvent, body: '{}' }, 400, ['level', 'name']],
  ['a level as text', { ...restApiEvent, body: '{"level":"1","name":"a"}' }, 400, ['level']],
  ['7 MB', { ...restApiEvent, body: 'x'.repeat(7_000_000) }, 413, null],
  ['7 MB of base64', { ...httpApiEvent, body: base64('x'.repeat(7_000_000)) }, 413, null],
  ['7 MB of wrong base64', { ...httpApiEvent, body: '!'.repeat(7_000_000) }, 413, null],
  ['another type', { ...httpApiEvent, headers: { 'content-type': 'text/plain' } }, 415, null],
])('refuses %s', (_what, event, status, fields) => {
  const read = readEvent(event)
  if (read.kind !== 'refused') throw new Error('it was read')
  const { body } = read.refusal
  expect([read.refusal.status, 'fields' in body ? body.fields.map(({ field }) => field) : null]).toEqual([
    status,
    fields,
  ])
  expect(body.error).toBeTruthy()
})

test('what is refused keeps its correlation id', () => {
  expect(readEvent({ ...restApiEvent, body: null })).toMatchObject({ correlationId: 'rest-api-1' })
})
