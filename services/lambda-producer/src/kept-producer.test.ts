import { KafkaConfigError } from '@kafka-pattern/kafka-config'
import { createLogger } from '@kafka-pattern/service-runtime'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keepProducer, NoConnectionError } from './kept-producer.ts'
import type { GatheringProducer } from '@kafka-pattern/kafka-config'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const maxAgeMs = 60_000
const record = { topic: 'user', key: 'k', value: 'v' }
const stored = { topic: 'user', partition: 0, offset: '0' }

/** Connects to producers that note what they are asked; `attempts` says what becomes of each, the last of the rest. */
function keeper(...attempts: (() => Promise<void>)[]) {
  const producers: { timeoutsMs: number[]; closed: boolean }[] = []
  const signals: AbortSignal[] = []
  const kept = keepProducer({
    connect: async signal => {
      signals.push(signal)
      await (attempts[signals.length - 1] ?? attempts.at(-1))?.()
      const producer = { timeoutsMs: [] as number[], closed: false }
      producers.push(producer)
      const partial: Pick<GatheringProducer, 'send' | 'close'> = {
        async send(_record, options) {
          producer.timeoutsMs.push(options?.timeoutMs ?? Infinity)
          return stored
        },
        async close() {
          producer.closed = true
        },
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
      return partial as GatheringProducer
    },
    maxAgeMs,
    logger: createLogger({ name: 'test', level: 'silent' }),
  })
  return { kept, producers, signals }
}

const refused = () => Promise.reject(new KafkaConfigError('connection refused', 'retryable'))
const never = () => new Promise<void>(() => {})
const works = () => Promise.resolve()
const within = (ms: number) => performance.now() + ms

test('invocations at the same time, and all later ones, share one connection', async () => {
  const connected = Promise.withResolvers<void>()
  const { kept, producers, signals } = keeper(() => connected.promise)
  const sends = Array.from({ length: 10 }, () => kept.send(record, within(1_000)))
  await vi.advanceTimersByTimeAsync(100)
  connected.resolve()
  await Promise.all(sends)
  await kept.send(record, within(1_000))
  expect([signals.length, producers.length, producers[0]?.timeoutsMs.length]).toEqual([1, 1, 11])
})

test('connecting takes from the time that the record has', async () => {
  const { kept, producers } = keeper(() => new Promise(resolve => setTimeout(resolve, 400)))
  const sent = kept.send(record, within(1_000))
  await vi.advanceTimersByTimeAsync(400)
  await sent
  expect(producers[0]?.timeoutsMs).toEqual([600])
})

test('a connection that failed is not kept: the same invocation tries again', async () => {
  const { kept, signals } = keeper(refused, refused, works)
  const sent = kept.send(record, within(5_000))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await sent).toEqual(stored)
  expect(signals).toHaveLength(3)
})

test.each([
  ['refuse', refused, /in time: connection refused/],
  ['do not answer', never, /in time$/],
])('brokers that %s: an error at the deadline, with what is known', async (_what, attempt, message) => {
  const { kept } = keeper(attempt)
  let failure: unknown
  void kept.send(record, within(2_000)).catch((error: unknown) => (failure = error))
  await vi.advanceTimersByTimeAsync(1_999)
  expect(failure).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1)
  expect(failure).toBeInstanceOf(NoConnectionError)
  expect(String(failure)).toMatch(message)
})

test('an attempt that is still going on is what the next invocation waits for', async () => {
  const connected = Promise.withResolvers<void>()
  const { kept, signals } = keeper(() => connected.promise)
  const first = kept.send(record, within(1_000)).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await first).toBeInstanceOf(NoConnectionError)
  const second = kept.send(record, within(1_000))
  connected.resolve()
  expect(await second).toEqual(stored)
  expect(signals).toHaveLength(1)
})

test('what another try cannot mend is thrown at once, and not kept', async () => {
  const { kept, signals } = keeper(
    () => Promise.reject(new KafkaConfigError('not authorized', 'fatal')),
    works,
  )
  await expect(kept.send(record, within(1_000))).rejects.toThrow('not authorized')
  expect(await kept.send(record, within(1_000))).toEqual(stored)
  expect(signals).toHaveLength(2)
})

test('a connection that is too old is replaced and closed, although it was used meanwhile', async () => {
  const { kept, producers, signals } = keeper(works)
  await kept.send(record, within(1_000))
  await vi.advanceTimersByTimeAsync(maxAgeMs)
  await kept.send(record, within(1_000))
  expect(signals).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  await kept.send(record, within(1_000))
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  expect(producers).toEqual([
    { timeoutsMs: [1_000, 1_000], closed: true },
    { timeoutsMs: [1_000], closed: false },
  ])
})

test('a connection that seems to be of the future, because the clock was set back, is replaced', async () => {
  const { kept, signals } = keeper(works)
  await kept.send(record, within(1_000))
  vi.setSystemTime(Date.now() - 1)
  await kept.send(record, within(1_000))
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
})

test('open never fails, and what it began serves the first invocation', async () => {
  const { kept, signals } = keeper(refused, refused, works)
  const opened = kept.open(100)
  await vi.advanceTimersByTimeAsync(100)
  await opened
  const sent = kept.send(record, within(1_000))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await sent).toEqual(stored)
  expect(signals).toHaveLength(3)
})
