import { describe, expect, test } from 'vitest'
import { nextDelayMs } from './schedule.ts'
import type { RetryPolicy } from './schedule.ts'

const fixed: RetryPolicy = { kind: 'fixed', delayMs: 250, maxAttempts: 4 }
const exponential: RetryPolicy = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 1_000,
  jitter: 'none',
  maxAttempts: 8,
}
const jittered: RetryPolicy = { ...exponential, jitter: 'full' }

function schedule(policy: RetryPolicy, random?: () => number): (number | null)[] {
  const delays: (number | null)[] = []
  for (let failedAttempts = 1; delays.at(-1) !== null; failedAttempts++) {
    delays.push(nextDelayMs(policy, failedAttempts, 0, random))
  }
  return delays
}

describe('the whole schedule of a policy', () => {
  test.each<[string, RetryPolicy, (number | null)[]]>([
    ['fixed: the same delay before every retry', fixed, [250, 250, 250, null]],
    ['one attempt: no retry', { ...fixed, maxAttempts: 1 }, [null]],
    ['exponential: doubles up to the cap', exponential, [100, 200, 400, 800, 1_000, 1_000, 1_000, null]],
    ['factor 3', { ...exponential, factor: 3, maxAttempts: 5 }, [100, 300, 900, 1_000, null]],
    ['factor 1 is fixed', { ...exponential, factor: 1, maxAttempts: 4 }, [100, 100, 100, null]],
    ['a cap below the base', { ...exponential, capMs: 50, maxAttempts: 3 }, [50, 50, null]],
  ])('%s', (_name, policy, delays) => {
    expect(schedule(policy)).toEqual(delays)
  })
})

describe('full jitter: anywhere between 0 and the exponential delay', () => {
  test.each<[string, () => number, (number | null)[]]>([
    ['at the lower end', () => 0, [0, 0, 0, 0, 0, 0, 0, null]],
    ['in the middle', () => 0.5, [50, 100, 200, 400, 500, 500, 500, null]],
    ['at the upper end', () => 1 - 2 ** -53, [100, 200, 400, 800, 1_000, 1_000, 1_000, null]],
  ])('%s', (_name, random, delays) => {
    expect(schedule(jittered, random)).toEqual(delays)
  })

  test('is spread evenly, so that callers that failed together do not come back together', () => {
    const bins = [0, 0, 0, 0]
    for (let call = 0; call < 4_000; call++) {
      const delayMs = nextDelayMs(jittered, 4, 0) ?? -1
      bins[Math.min(3, Math.floor(delayMs / 200))]! += 1
    }
    for (const count of bins) expect(count).toBeGreaterThan(800)
  })
})

describe('maxElapsedMs: no attempt begins later', () => {
  const policy = { ...exponential, maxElapsedMs: 1_000 }
  test.each([
    [3, 599, 400],
    [3, 600, 400],
    [3, 601, null],
    [1, 5_000, null],
  ])('after %i failures and %i ms the delay is %s', (failedAttempts, elapsedMs, delayMs) => {
    expect(nextDelayMs(policy, failedAttempts, elapsedMs)).toBe(delayMs)
  })
})

test('maxAttempts Infinity never gives up, and its delay never leaves the cap', () => {
  const forever: RetryPolicy = { ...exponential, maxAttempts: Infinity }
  for (const failedAttempts of [10, 1_000, 1_025, 1_000_000]) {
    expect(nextDelayMs(forever, failedAttempts, 0)).toBe(1_000)
  }
})

test.each<[string, RetryPolicy]>([
  ['maxAttempts', { ...fixed, maxAttempts: 0 }],
  ['maxAttempts', { ...fixed, maxAttempts: Number.NaN }],
  ['maxElapsedMs', { ...fixed, maxElapsedMs: -1 }],
  ['delayMs', { ...fixed, delayMs: -1 }],
  ['delayMs', { ...fixed, delayMs: Infinity }],
  ['baseMs', { ...exponential, baseMs: 0 }],
  ['factor', { ...exponential, factor: 0.5 }],
  ['capMs', { ...exponential, capMs: Number.NaN }],
])('a policy whose %s makes no sense is refused: %j', (field, policy) => {
  expect(() => nextDelayMs(policy, 1, 0)).toThrow(new RegExp(`^retry policy: ${field} cannot be`))
})

test('to ask before anything failed is a defect of the caller', () => {
  expect(() => nextDelayMs(fixed, 0, 0)).toThrow(RangeError)
})
