import { createLogger, createService, parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings } from './config.ts'
import { createPollerReport } from './poller-report.ts'
import { microsOf } from './position.ts'

test('the age of the cursor is that of what has been reached, also where it need not be stored', async () => {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const { metrics } = createService({ name: 'test', settings: parseSettings(Settings, {}), logger })
  const report = createPollerReport({ table: 'users', topic: 'cdc.users' }, logger, metrics)
  const age = async () => {
    const found = await metrics.registry.getSingleMetric('cdc_cursor_age_seconds')?.get()
    return found?.values[0]?.value
  }
  const atMs = performance.now()
  report.looked({ now: microsOf('2026-01-01 00:01:00'), askedAtMs: atMs, atMs, work: [] })

  report.saved({ updatedAt: '2026-01-01 00:00:00', key: [] }, 0)
  expect(await age()).toBeGreaterThanOrEqual(60)
  report.reached({ updatedAt: '2026-01-01 00:00:59', key: [] })
  expect(await age()).toBeLessThan(60)
})
