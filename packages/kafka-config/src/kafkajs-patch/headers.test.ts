import { expect, test } from 'vitest'
import type { IHeaders } from 'kafkajs'
import { roundTrip } from './round-trip.ts'

test('a header without a value survives, as a dead letter has to keep it', async () => {
  const [message] = await roundTrip([{ value: 'v', headers: { 'trace-state': null } }])

  expect(message!.headers).toEqual({ 'trace-state': null })
})

test('a header may be named like a member of Object.prototype', async () => {
  const [message] = await roundTrip([{ value: 'v', headers: { constructor: 'a', valueOf: 'b' } }])

  expect(message!.headers).toEqual({ constructor: Buffer.from('a'), valueOf: Buffer.from('b') })
})

test('the sender of a record cannot choose the prototype of its headers', async () => {
  const headers: IHeaders = Object.fromEntries([['__proto__', 'x']])

  const [message] = await roundTrip([{ value: 'v', headers }])

  expect(Object.getPrototypeOf(message!.headers)).toBe(Object.prototype)
  expect(Object.entries(message!.headers)).toEqual([['__proto__', Buffer.from('x')]])
})

test('records without headers share an object, which nobody can write into', async () => {
  const [one, other] = await roundTrip([{ value: 'v' }, { value: 'w' }])

  expect(one!.headers).toEqual({})
  expect(other!.headers).toBe(one!.headers)
  expect(one!.headers).toSatisfy(Object.isFrozen)
})
