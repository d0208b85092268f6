import { expect, test } from 'vitest'
import { createMetrics } from './metrics.ts'

test('the text that Prometheus reads has every metric, with its labels', async () => {
  const metrics = createMetrics()
  metrics.recordsTotal.inc({ topic: 'user', outcome: 'processed' }, 3)
  metrics.retriesTotal.inc({ topic: 'user' })
  metrics.deadLettersTotal.inc({ topic: 'user', category: 'not retryable' })
  metrics.lag.set({ topic: 'user', partition: 2 }, 41)
  metrics.batchSize.observe({ topic: 'user' }, 5)
  metrics.durations.observe({ topic: 'user', outcome: 'processed' }, 0.02)

  const lines = (await metrics.registry.metrics()).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'kafka_records_total{topic="user",outcome="processed"} 3',
      'kafka_retries_total{topic="user"} 1',
      'kafka_dead_letters_total{topic="user",category="not retryable"} 1',
      'kafka_consumer_lag_records{topic="user",partition="2"} 41',
      'kafka_batch_records_bucket{le="5",topic="user"} 1',
      'kafka_batch_records_bucket{le="2",topic="user"} 0',
      'kafka_handling_duration_seconds_bucket{le="0.025",topic="user",outcome="processed"} 1',
      'kafka_handling_duration_seconds_bucket{le="0.01",topic="user",outcome="processed"} 0',
      expect.stringMatching(/^process_resident_memory_bytes \d+$/),
      expect.stringMatching(/^nodejs_eventloop_lag_p99_seconds /),
    ]),
  )
})

test('two services in one process do not share counts', async () => {
  const first = createMetrics()
  const second = createMetrics()
  first.retriesTotal.inc({ topic: 'user' })
  expect(await second.registry.metrics()).not.toContain('kafka_retries_total{')
})
