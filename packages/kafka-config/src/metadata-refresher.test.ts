import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MetadataRefresher } from './metadata-refresher.ts'

type Refresh = () => Promise<'complete' | 'incomplete'>

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

test('many wishes at once are one request, and then there is silence', async () => {
  const refresh = vi.fn<Refresh>(async () => 'complete')
  const refresher = new MetadataRefresher(refresh, () => {})
  for (let i = 0; i < 10; i++) refresher.wish()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(refresh).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('a wish during a request is granted by another one after it', async () => {
  const answers: (() => void)[] = []
  const refresh = vi.fn<Refresh>(
    () => new Promise<'complete'>(resolve => answers.push(() => resolve('complete'))),
  )
  const refresher = new MetadataRefresher(refresh, () => {})
  refresher.wish()
  await vi.advanceTimersByTimeAsync(10)
  refresher.wish()
  expect(refresh).toHaveBeenCalledTimes(1)
  answers[0]!()
  await vi.advanceTimersByTimeAsync(100)
  expect(refresh).toHaveBeenCalledTimes(2)
})

test('goes on, ever more slowly, while something is missing, and stops when it is there', async () => {
  let answer: 'complete' | 'incomplete' = 'incomplete'
  const refresh = vi.fn<Refresh>(async () => answer)
  const refresher = new MetadataRefresher(refresh, () => {})
  refresher.wish()
  await vi.advanceTimersByTimeAsync(60_000)
  const calls = refresh.mock.calls.length
  // Pauses are random up to 1 s each.
  expect(calls).toBeGreaterThan(40)
  expect(calls).toBeLessThan(400)
  answer = 'complete'
  await vi.advanceTimersByTimeAsync(60_000)
  expect(refresh.mock.calls.length).toBeLessThanOrEqual(calls + 1)
  expect(vi.getTimerCount()).toBe(0)
})

test('goes on while it fails, tells of each failure, and forgets them with the first success', async () => {
  let failing = true
  const refresh = vi.fn<Refresh>(async () => {
    if (failing) throw new Error('no broker')
    return 'complete'
  })
  const onFailure = vi.fn<(error: unknown, failures: number) => void>()
  const refresher = new MetadataRefresher(refresh, onFailure)
  refresher.wish()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(refresher.failing).toBe(true)
  expect(onFailure.mock.calls.map(([, failures]) => failures).slice(0, 3)).toEqual([1, 2, 3])
  failing = false
  await vi.advanceTimersByTimeAsync(10_000)
  expect(refresher.failing).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})

test('now() throws what it failed with and does not go on by itself', async () => {
  const refresh = vi.fn<Refresh>(async () => {
    throw new Error('no broker')
  })
  const refresher = new MetadataRefresher(refresh, () => {})
  await expect(refresher.now()).rejects.toThrow('no broker')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(refresh).toHaveBeenCalledTimes(1)
})

test('once stopped it asks no more', async () => {
  const refresh = vi.fn<Refresh>(async () => 'incomplete')
  const refresher = new MetadataRefresher(refresh, () => {})
  refresher.wish()
  await vi.advanceTimersByTimeAsync(1_000)
  refresher.stop()
  const calls = refresh.mock.calls.length
  refresher.wish()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(refresh).toHaveBeenCalledTimes(calls)
  expect(vi.getTimerCount()).toBe(0)
})
