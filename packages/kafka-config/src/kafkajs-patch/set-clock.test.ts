/** Times between events. A wall clock is set while a process runs: by NTP after a bad start, by a hypervisor after a pause, by a person. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const BrokerPool = internal('cluster/brokerPool')
const ConsumerGroup = internal('consumer/consumerGroup')
const HOUR_MS = 3_600_000
const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function memberThatSends(heartbeat: () => Promise<void>) {
  const group = new ConsumerGroup({
    logger: silent,
    instrumentationEmitter: { emit() {} },
    assigners: [],
  })
  group.memberId = 'me'
  group.coordinator = { heartbeat }
  return group
}

test('heartbeats go on when the clock is set back', async () => {
  const heartbeat = vi.fn<() => Promise<void>>(async () => {})
  const group = memberThatSends(heartbeat)
  vi.setSystemTime(Date.now() - HOUR_MS)

  vi.advanceTimersByTime(99)
  await group.heartbeat({ interval: 100 })
  expect(heartbeat).not.toHaveBeenCalled()

  vi.advanceTimersByTime(1)
  await group.heartbeat({ interval: 100 })
  expect(heartbeat).toHaveBeenCalledOnce()
})

test('the time that an answer takes puts no heartbeat off', async () => {
  const heartbeat = vi.fn<() => Promise<void>>(async () => void vi.advanceTimersByTime(20))
  const group = memberThatSends(heartbeat)

  vi.advanceTimersByTime(100)
  await group.heartbeat({ interval: 100 })
  vi.advanceTimersByTime(80)
  await group.heartbeat({ interval: 100 })
  expect(heartbeat).toHaveBeenCalledTimes(2)
})

test('metadata grow old also when the clock is set back', async () => {
  const pool = new BrokerPool({ logger: silent, metadataMaxAge: 300_000 })
  const metadata = vi.fn<() => Promise<object>>(async () => ({ brokers: [], topicMetadata: [] }))
  pool.seedBroker = { connectionPool: { host: '127.0.0.1', port: 9092 }, isConnected: () => true, metadata }
  await pool.refreshMetadata([])
  vi.setSystemTime(Date.now() - HOUR_MS)

  vi.advanceTimersByTime(299_999)
  await pool.refreshMetadataIfNecessary([])
  expect(metadata).toHaveBeenCalledOnce()

  vi.advanceTimersByTime(2)
  await pool.refreshMetadataIfNecessary([])
  expect(metadata).toHaveBeenCalledTimes(2)
})
