import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PartitionBuffer, bufferLimit, bufferLimitBytes } from './partition-buffer.ts'
import type { Fetched } from './batch-collector.ts'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

function records(first: number, count: number, valueBytes = 0): KafkaRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: null,
    value: valueBytes === 0 ? null : Buffer.alloc(valueBytes),
    timestamp: '0',
    attributes: 0,
    offset: String(first + index),
    headers: {},
  }))
}

function fetch(fetched: KafkaRecord[]): Fetched {
  return { records: fetched, nextOffset: String(BigInt(fetched.at(-1)?.offset ?? -1) + 1n) }
}

function bufferWithCalls(batchSize = 3, batchBytes = 1_000_000) {
  const calls: string[] = []
  const backpressure = { pause: () => void calls.push('pause'), resume: () => void calls.push('resume') }
  return { calls, buffer: new PartitionBuffer({ batchSize, batchBytes, batchTimeoutMs: 100 }, backpressure) }
}

describe('the buffer of a partition', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('wakes the worker when a batch is full, across fetches', async () => {
    const { buffer } = bufferWithCalls()
    const next = buffer.next(new AbortController().signal)
    buffer.add(fetch(records(0, 1)))
    await vi.advanceTimersByTimeAsync(50)
    buffer.add(fetch(records(1, 2)))
    expect((await next)?.closedBy).toBe('size')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('wakes the worker when the time of a partial batch is up', async () => {
    const { buffer } = bufferWithCalls()
    const next = buffer.next(new AbortController().signal)
    buffer.add(fetch(records(0, 1)))
    await vi.advanceTimersByTimeAsync(60)
    buffer.add(fetch(records(1, 1)))
    await vi.advanceTimersByTimeAsync(39)
    const pending = Symbol('pending')
    expect(await Promise.race([next, Promise.resolve(pending)])).toBe(pending)
    await vi.advanceTimersByTimeAsync(2)
    expect((await next)?.records).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a time that runs out between two looks at the clock leaves no record behind', async () => {
    let now = 0
    const backpressure = { pause: () => {}, resume: () => {} }
    // Every look at the clock takes one millisecond.
    const buffer = new PartitionBuffer(
      { batchSize: 3, batchBytes: 1_000, batchTimeoutMs: 2 },
      backpressure,
      () => now++,
    )
    buffer.add(fetch(records(0, 1)))
    const next = buffer.next(new AbortController().signal)
    await vi.advanceTimersByTimeAsync(10)
    const pending = Symbol('pending')
    expect(await Promise.race([next, Promise.resolve(pending)])).toMatchObject({ closedBy: 'timeout' })
  })

  test('gives no further batch once the partition is given up, though one would be due', async () => {
    const { buffer } = bufferWithCalls()
    const stop = new AbortController()
    const waiting = buffer.next(stop.signal)
    stop.abort()
    expect(await waiting).toBeNull()
    buffer.add(fetch(records(0, 3)))
    expect(await buffer.next(stop.signal)).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('pauses its partition when full and resumes it once half empty, once each', async () => {
    const { buffer, calls } = bufferWithCalls(100)
    const { signal } = new AbortController()
    const limit = bufferLimit(100)
    buffer.add(fetch(records(0, limit - 1)))
    expect(calls).toEqual([])
    buffer.add(fetch(records(limit - 1, 1)))
    buffer.add(fetch(records(limit, 100)))
    expect(calls).toEqual(['pause'])
    for (let left = limit + 100; left > limit / 2; left -= 100) {
      expect(calls).toEqual(['pause'])
      await buffer.next(signal)
    }
    expect(calls).toEqual(['pause', 'resume'])
    await buffer.next(signal)
    expect(calls).toEqual(['pause', 'resume'])
  })

  test('a few large records fill it as many small ones do', async () => {
    const { calls, buffer } = bufferWithCalls(100, 1_000)
    const { signal } = new AbortController()
    buffer.add(fetch(records(0, 19, 100)))
    expect(calls).toEqual([])
    buffer.add(fetch(records(19, 2, 100)))
    expect(calls).toEqual(['pause'])
    expect(bufferLimitBytes(1_000)).toBe(2_000)
    expect((await buffer.next(signal))?.records).toHaveLength(10)
    expect(calls, 'still more than half full').toEqual(['pause'])
    expect((await buffer.next(signal))?.records).toHaveLength(10)
    expect(calls).toEqual(['pause', 'resume'])
  })
})
