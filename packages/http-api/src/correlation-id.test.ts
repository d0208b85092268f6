import { describe, expect, test } from 'vitest'
import { correlationIdFrom } from './correlation-id.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

describe('the correlation id of a request', () => {
  test.each([['a'], ['order-17/retry#2'], ['x'.repeat(128)]])('is the one it brings: %s', header => {
    expect(correlationIdFrom(header)).toBe(header)
  })

  test.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['one that is too long', 'x'.repeat(129)],
    ['one with a space', 'a b'],
    ['one with an escape sequence', '\u001b[31mred'],
    ['one with a letter outside ASCII', 'é'],
    ['several', ['a', 'b']],
  ])('is a new one instead of %s', (_what, header) => {
    expect(correlationIdFrom(header)).toMatch(uuid)
    expect(correlationIdFrom(header)).not.toBe(correlationIdFrom(header))
  })
})
