import { expect, test } from 'vitest'
import { endOf } from './container-runtime.ts'

test.each([
  ['exited', 137, 'ended before'],
  ['exited', 0, 'ended before'],
  ['running', 0, 'terminated'],
  ['running', 1, 'terminated'],
  ['restarting', 1, 'terminated'],
  ['running', 137, 'killed'],
  ['running', null, 'terminated'],
] as const)('a container that was %s and then had the exit code %s: %s', (state, exitCode, end) => {
  expect(endOf(state, exitCode)).toBe(end)
})
