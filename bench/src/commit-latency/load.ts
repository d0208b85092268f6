/**
 * Commits 1,000 events a second, as long as the database can, and reads them back: one process, so that both ends have one clock.
 * The consumer is kafkajs as published, which reads committed records only.
 */
import { randomUUID } from 'node:crypto'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { rootMysql } from '../database/root-mysql.ts'
import { insertIntoOutbox, outboxValues, userChanges } from '../database/rows.ts'
import { stockKafka } from '../kafkajs-stock.ts'
import { finish, readTask } from '../task.ts'

const perSecond = 1_000
const connections = 32
const lastEventsMs = 10_000

const task = readTask()
const mysql = rootMysql(connections)
const committedAt = new Map<string, number>()
const arrivedAt = new Map<string, number>()

const consumer = stockKafka().consumer({ groupId: `bench-latency-${randomUUID()}` })
const joined = Promise.withResolvers<void>()
consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve())
await consumer.connect()
await consumer.subscribe({ topic: task.topic, fromBeginning: true })
await consumer.run({
  eachBatch({ batch }) {
    const nowMs = performance.now()
    for (const { headers } of batch.messages) arrivedAt.set(String(headers?.['id']), nowMs)
    return Promise.resolve()
  },
})
await joined.promise

// All connections are there before the first event.
await Promise.all(Array.from({ length: connections }, () => mysql.rows('SELECT SLEEP(0.1)')))

const total = Math.round(((task.warmUpMs + task.durationMs) / 1000) * perSecond)
const states = [...userChanges(total)]
const ids = states.map(() => randomUUID())
const startedAt = performance.now()
let next = 0
await Promise.all(
  Array.from({ length: connections }, async () => {
    while (next < total) {
      const i = next++
      const waitMs = startedAt + (i / perSecond) * 1000 - performance.now()
      if (waitMs > 0) await sleep(waitMs)
      await mysql.write(insertIntoOutbox + outboxValues(states[i]!, ids[i]))
      committedAt.set(ids[i]!, performance.now())
    }
  }),
)
const committedPerSecond = total / ((performance.now() - startedAt) / 1000)

const deadline = performance.now() + lastEventsMs
while (ids.some(id => !arrivedAt.has(id))) {
  if (performance.now() > deadline) {
    const missing = ids.filter(id => !arrivedAt.has(id)).length
    throw new Error(`${missing} of ${total} events did not arrive`)
  }
  await sleep(50)
}
const latency = createHistogram()
const measureFrom = startedAt + task.warmUpMs
for (const id of ids) {
  const committed = committedAt.get(id)!
  if (committed >= measureFrom)
    latency.record(Math.max(1, Math.round((arrivedAt.get(id)! - committed) * 1000)))
}
finish({
  value: committedPerSecond,
  p50Ms: latency.percentile(50) / 1000,
  p99Ms: latency.percentile(99) / 1000,
})
