import { createHistogram } from 'node:perf_hooks'
import { makeRecords, type BenchRecord } from './records.ts'
import { finish, readTask } from './task.ts'

/**
 * Keeps `inFlight` sends of `recordsPerSend` records under way for the task's time and reports records per second and
 * the latency of a send, from the call to its acknowledgement. The same closed loop drives every producer.
 */
export async function measureSends(
  load: { inFlight: number; recordsPerSend: number },
  send: (records: BenchRecord[]) => Promise<unknown>,
): Promise<never> {
  const task = readTask()
  const pool = makeRecords(20_000)
  const latency = createHistogram()
  const measureFrom = performance.now() + task.warmUpMs
  const end = measureFrom + task.durationMs
  let next = 0
  let acknowledged = 0

  const takeRecords = () => {
    if (next + load.recordsPerSend > pool.length) next = 0
    return pool.slice(next, (next += load.recordsPerSend))
  }
  const keepSending = async () => {
    for (;;) {
      const startedAt = performance.now()
      if (startedAt >= end) return
      await send(takeRecords())
      const endedAt = performance.now()
      if (startedAt < measureFrom || endedAt > end) continue
      acknowledged += load.recordsPerSend
      latency.record(Math.max(1, Math.round((endedAt - startedAt) * 1000)))
    }
  }

  await Promise.all(Array.from({ length: load.inFlight }, keepSending))
  finish({
    value: acknowledged / (task.durationMs / 1000),
    p50Ms: latency.percentile(50) / 1000,
    p99Ms: latency.percentile(99) / 1000,
  })
}
