import { expect, test } from 'vitest'
import { inTurn } from './kafka.ts'

test('as many attempts as there are addresses ask each of them, in another order each time', () => {
  const brokers = ['a:9092', 'b:9092', 'c:9092']
  const next = inTurn(brokers)
  const orders = new Set<string>()
  for (let turn = 0; turn < 200; turn++) {
    const asked = brokers.flatMap(() => next())
    expect(asked.toSorted()).toEqual(brokers)
    orders.add(asked.join())
  }
  expect(orders.size).toBe(6)
})
