import { expect, test } from 'vitest'
import { laneOf, rowOf, seqOf, unfitForTopic } from './outbox-row.ts'

test('a row becomes the record that the outbox event router makes of it', () => {
  const payload = '{"name": "Ada"}'
  const { record, seq } = rowOf(['17', 'e-1', 'user', 'u-1', 'UserCreated', payload, 'c-1'], 4)
  expect(seq).toBe(17)
  expect(record).toEqual({
    topic: 'outbox.event.user',
    key: 'u-1',
    value: payload,
    headers: {
      id: 'e-1',
      'event-type': 'UserCreated',
      'correlation-id': 'c-1',
      'content-type': 'application/json',
    },
  })
})

test('the lane of an aggregate is what it always was: its rows must not change lanes with a release', () => {
  expect(['', 'u-1', '8d8f5f0c-3cb6-4b0e-9a43-1b0a4f3d9c11', 'Jürgen'].map(id => laneOf(id, 1_000))).toEqual([
    0, 788, 897, 49,
  ])
})

test('lanes get equal shares', () => {
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 10_000; i++) counts[laneOf(`aggregate-${i}`, 4)]!++
  expect(Math.min(...counts)).toBeGreaterThan(2_000)
})

test.each(['user', 'Order-Line_2.v1', 'x'.repeat(236)])('%j names a topic', type => {
  expect(unfitForTopic(type)).toBeNull()
})

test.each([
  ['', /empty/],
  ['über', /legal/],
  ['a b', /legal/],
  ['x'.repeat(237), /250 characters/],
])('%j does not', (type, reason) => {
  expect(unfitForTopic(type)).toMatch(reason)
})

test('a number that a cursor cannot hold is refused', () => {
  expect(seqOf('4503599627370496')).toBe(4_503_599_627_370_496)
  expect(() => seqOf('4503599627370497')).toThrow(RangeError)
})
