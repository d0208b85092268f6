import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const RequestQueue = internal('network/requestQueue')
const REQUEST_TIMEOUT_MS = 30_000
const silent = { debug: () => {}, warn: () => {}, error: () => {}, info: () => {} }

function createQueue(options: { maxInFlightRequests?: number; isConnected?: () => boolean } = {}) {
  const sent: number[] = []
  const timedOut: number[] = []
  const queue = new RequestQueue({
    ...options,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    clientId: 'test',
    broker: 'test:9092',
    logger: silent,
  })
  const push = (correlationId: number) =>
    queue.push({
      entry: {
        apiKey: 3,
        apiName: 'Metadata',
        apiVersion: 1,
        correlationId,
        resolve() {},
        reject: () => timedOut.push(correlationId),
      },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => sent.push(correlationId),
    })
  const answer = (correlationId: number) =>
    queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0), size: 0 })
  return { queue, push, answer, sent, timedOut }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  // Before the clock: a spy on a fake timer would put the fake back for the files that follow.
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('a connection that has nothing to send runs no timer', () => {
  const { push, answer } = createQueue()

  push(1)
  answer(1)
  vi.advanceTimersByTime(1_000)

  expect(vi.getTimerCount()).toBe(0)
})

test('a connection that waits for an answer looks once a second whether it has waited too long', () => {
  const setIntervalSpy = vi.spyOn(globalThis, 'setInterval')
  const { push } = createQueue()

  push(1)

  expect(setIntervalSpy.mock.calls.map(([, delayMs]) => delayMs)).toEqual([1_000])
})

test('a timer is never set to a time in the past', () => {
  const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout')
  const { push, answer } = createQueue({ maxInFlightRequests: 1 })

  push(1)
  push(2)
  answer(1)
  answer(2)
  vi.advanceTimersByTime(1000)

  for (const [, delayMs] of setTimeoutSpy.mock.calls) expect(delayMs).toBeGreaterThanOrEqual(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('a request that waits for the end of a throttle is sent when it ends', () => {
  const { queue, push, sent } = createQueue()
  queue.maybeThrottle(500)

  push(1)
  vi.advanceTimersByTime(499)
  expect(sent).toEqual([])

  vi.advanceTimersByTime(20)
  expect(sent).toEqual([1])
})

test('a request that is never answered times out, also while the connection is being closed', () => {
  const { queue, push, timedOut } = createQueue({ isConnected: () => false })
  queue.scheduleRequestTimeoutCheck()

  push(1)
  vi.advanceTimersByTime(REQUEST_TIMEOUT_MS + 1_000)

  expect(timedOut).toEqual([1])
})

test('a clock that is set forward times nothing out', () => {
  const { push, timedOut } = createQueue()

  push(1)
  vi.setSystemTime(Date.now() + 10 * REQUEST_TIMEOUT_MS)
  vi.advanceTimersByTime(REQUEST_TIMEOUT_MS - 1_000)

  expect(timedOut).toEqual([])
})

test('a clock that is set back prolongs neither a timeout nor a throttle', () => {
  const { queue, push, sent, timedOut } = createQueue()
  queue.maybeThrottle(500)
  push(1)
  vi.setSystemTime(Date.now() - 10 * REQUEST_TIMEOUT_MS)

  vi.advanceTimersByTime(520)
  expect(sent).toEqual([1])

  vi.setSystemTime(Date.now() - 10 * REQUEST_TIMEOUT_MS)
  vi.advanceTimersByTime(REQUEST_TIMEOUT_MS + 1_000)
  expect(timedOut).toEqual([1])
})
