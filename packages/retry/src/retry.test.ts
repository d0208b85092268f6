import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AbortError, RetriesExhaustedError, retry } from './retry.ts'
import type { RetryInfo } from './retry.ts'
import type { RetryPolicy } from './schedule.ts'

const policy: RetryPolicy = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 10_000,
  jitter: 'none',
  maxAttempts: 4,
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Fails with errors `failure 1`, `failure 2`… until attempt `works`. */
function failing({ works = Infinity } = {}) {
  const attempts: { attempt: number; atMs: number }[] = []
  const begun = performance.now()
  const work = async (attempt: number) => {
    attempts.push({ attempt, atMs: performance.now() - begun })
    if (attempt < works) throw new Error(`failure ${attempt}`)
    return `attempt ${attempt}`
  }
  return { attempts, work }
}

describe('the outcome', () => {
  test('is that of the first attempt that succeeds, after the delays of the policy', async () => {
    const { attempts, work } = failing({ works: 4 })
    const outcome = retry(work, { policy })
    await vi.runAllTimersAsync()
    expect(await outcome).toBe('attempt 4')
    expect(attempts).toEqual([
      { attempt: 1, atMs: 0 },
      { attempt: 2, atMs: 100 },
      { attempt: 3, atMs: 300 },
      { attempt: 4, atMs: 700 },
    ])
  })

  test('is RetriesExhaustedError with the last error when the policy gives up', async () => {
    const { attempts, work } = failing()
    const outcome = retry(work, { policy }).catch((error: unknown) => error)
    await vi.runAllTimersAsync()
    const error = await outcome
    expect(error).toBeInstanceOf(RetriesExhaustedError)
    expect(error).toMatchObject({ attempts: 4, cause: new Error('failure 4') })
    expect(String(error)).toBe('RetriesExhaustedError: gave up after 4 attempts: failure 4')
    expect(attempts).toHaveLength(4)
  })

  test('is the error itself, at once, when it is not retryable', async () => {
    const notJson = new SyntaxError('not JSON')
    const isRetryable = vi.fn<(error: unknown) => boolean>(error => !(error instanceof SyntaxError))
    const work = vi
      .fn<() => Promise<never>>()
      .mockRejectedValueOnce(new Error('busy'))
      .mockRejectedValueOnce(notJson)
    const outcome = retry(work, { policy, isRetryable }).catch((error: unknown) => error)
    await vi.runAllTimersAsync()
    expect(await outcome).toBe(notJson)
    expect(work).toHaveBeenCalledTimes(2)
  })

  test('counts the time of the attempts in maxElapsedMs', async () => {
    const work = vi.fn<() => Promise<never>>(async () => {
      await new Promise(resolve => setTimeout(resolve, 400))
      throw new Error('slow failure')
    })
    const outcome = retry(work, { policy: { ...policy, maxElapsedMs: 1_000 } }).catch(
      (error: unknown) => error,
    )
    await vi.runAllTimersAsync()
    // 400 + 100 + 400 = 900 ms, and the next delay would be 200.
    expect(await outcome).toMatchObject({ attempts: 2 })
  })
})

describe('abort', () => {
  test('before the first attempt: nothing is tried', async () => {
    const { attempts, work } = failing()
    const error = await retry(work, { policy, signal: AbortSignal.abort('no') }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ name: 'AbortError', cause: 'no' })
    expect(attempts).toEqual([])
  })

  test('during a wait: ends it at once and leaves no timer and no listener', async () => {
    const stopping = new AbortController()
    const { attempts, work } = failing()
    const outcome = retry(work, { policy, signal: stopping.signal }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(150)
    expect(vi.getTimerCount()).toBe(1)
    expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(1)

    stopping.abort()

    const error = await outcome
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ cause: new Error('failure 2') })
    expect(attempts).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
    expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(0)
  })

  test('during an attempt that then fails: no further one', async () => {
    const stopping = new AbortController()
    const work = vi.fn<() => Promise<never>>(async () => {
      stopping.abort()
      throw new Error('interrupted')
    })
    const error = await retry(work, { policy, signal: stopping.signal }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ cause: new Error('interrupted') })
    expect(work).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('during an attempt that succeeds: its result counts', async () => {
    const stopping = new AbortController()
    const outcome = retry(
      async () => {
        stopping.abort()
        return 'done'
      },
      { policy, signal: stopping.signal },
    )
    expect(await outcome).toBe('done')
  })

  test('by the observer itself: no wait', async () => {
    const stopping = new AbortController()
    const { work } = failing()
    const outcome = retry(work, { policy, signal: stopping.signal, onRetry: () => stopping.abort() })
    await expect(outcome).rejects.toBeInstanceOf(AbortError)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a listener does not pile up on a signal that lives as long as the process', async () => {
    const { signal } = new AbortController()
    const outcome = retry(failing({ works: 4 }).work, { policy, signal })
    await vi.runAllTimersAsync()
    await outcome
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('an observer', () => {
  test('is told the attempt that failed, its error and the delay that follows', async () => {
    const told: RetryInfo[] = []
    const outcome = retry(failing({ works: 3 }).work, { policy, onRetry: info => told.push(info) })
    await vi.runAllTimersAsync()
    await outcome
    expect(told).toEqual([
      { attempt: 1, delayMs: 100, error: new Error('failure 1') },
      { attempt: 2, delayMs: 200, error: new Error('failure 2') },
    ])
  })

  test('that writes to what it is told changes nothing', async () => {
    const uncaught = catchUncaught()
    const { attempts, work } = failing({ works: 3 })
    const outcome = retry(work, {
      policy,
      onRetry: info => {
        Object.assign(info, { delayMs: 0, attempt: 99 })
      },
    })
    await vi.runAllTimersAsync()
    expect(await outcome).toBe('attempt 3')
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100, 300])
    expect(uncaught()).toHaveLength(2)
  })

  test('that throws does not stop the work, and its defect surfaces as an uncaught exception', async () => {
    const uncaught = catchUncaught()
    const outcome = retry(failing({ works: 2 }).work, {
      policy,
      onRetry: () => {
        throw new Error('a defect of the observer')
      },
    })
    await vi.runAllTimersAsync()
    expect(await outcome).toBe('attempt 2')
    expect(uncaught()).toEqual([new Error('a defect of the observer')])
  })
})

test('a delay beyond what a timer can hold is not a delay of 1 ms', async () => {
  const { attempts, work } = failing()
  const stopping = new AbortController()
  const outcome = retry(work, {
    policy: { kind: 'fixed', delayMs: 2 ** 31, maxAttempts: 2 },
    signal: stopping.signal,
  }).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts).toHaveLength(1)
  stopping.abort()
  expect(await outcome).toBeInstanceOf(AbortError)
})

test('a policy that makes no sense is refused before the first attempt', async () => {
  const { attempts, work } = failing()
  await expect(retry(work, { policy: { ...policy, maxAttempts: 0 } })).rejects.toBeInstanceOf(RangeError)
  expect(attempts).toEqual([])
})

/** Takes the microtask that would end the process; what it would have thrown comes back. */
function catchUncaught(): () => unknown[] {
  const errors: unknown[] = []
  const spy = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(task => {
    try {
      task()
    } catch (error) {
      errors.push(error)
    }
  })
  return () => {
    spy.mockRestore()
    return errors
  }
}
