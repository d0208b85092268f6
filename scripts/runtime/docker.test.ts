import { expect, test } from 'vitest'
import { isOlderThan } from './docker.ts'

test.each([
  ['1.29.2', true],
  ['2.19.1', true],
  ['2.20.0', false],
  ['v2.26.1-4', false],
  ['5.0.0', false],
  ['dev', false],
])('Compose %s is too old: %s', (version, expected) => {
  expect(isOlderThan('2.20', version)).toBe(expected)
})
