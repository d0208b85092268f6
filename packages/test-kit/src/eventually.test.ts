import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'

test('returns what the check returns as soon as it does not throw', async () => {
  let attempts = 0
  const check = () => {
    attempts++
    if (attempts < 3) throw new Error('not yet')
    return attempts
  }
  expect(await eventually(check, { what: 'the third attempt' })).toBe(3)
})

test('awaits a check that is asynchronous', async () => {
  let attempts = 0
  const check = async () => {
    attempts++
    if (attempts < 2) throw new Error('not yet')
    return Promise.resolve('done')
  }
  expect(await eventually(check, { what: 'the second attempt' })).toBe('done')
})

test('a failure says what was awaited, for how long, and the last state', async () => {
  let seen = 0
  const check = () => {
    throw new Error(`${++seen} of 9 records seen`)
  }
  const failure = eventually(check, { what: 'nine records', timeoutMs: 120 })
  await expect(failure).rejects.toThrow(
    /^Waited 120 ms \(\d checks\) in vain for nine records\. The last state: [2-9] of 9 records seen$/,
  )
})
