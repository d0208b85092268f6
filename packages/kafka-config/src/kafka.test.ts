import { expect, test } from 'vitest'
import { inTurn } from './kafka.ts'

test('as many attempts as there are addresses ask each of them, whichever is the first', () => {
  const brokers = ['a:9092', 'b:9092', 'c:9092']
  const firsts = new Set<string | undefined>()
  for (let client = 0; client < 200; client++) {
    const next = inTurn(brokers)
    const asked = brokers.flatMap(() => next())
    expect(asked.toSorted()).toEqual(brokers)
    firsts.add(asked[0])
  }
  expect(firsts.size).toBe(brokers.length)
})
