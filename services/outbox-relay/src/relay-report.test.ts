import { createLogger } from '@kafka-pattern/service-runtime'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { createRelayReport } from './relay-report.ts'

test('parked rows of any aggregate types are one series', async () => {
  const registry = new Registry()
  const report = createRelayReport(createLogger({ name: 'test', level: 'silent' }), { registry })
  onTestFinished(() => report.stop())
  for (const [seq, aggregatetype] of ['?', '??', '???'].entries()) {
    const record = { topic: `outbox.event.${aggregatetype}`, key: 'a', value: '' }
    report.parked(
      { seq, id: 'id', aggregatetype, aggregateid: 'a', lane: 0, record, sizeBytes: 1 },
      { seq, reason: 'no topic has such a name', attempts: 1 },
    )
  }
  const { values } = await registry.getSingleMetric('outbox_relay_parked_total')!.get()
  expect(values).toMatchObject([{ value: 3, labels: {} }])
})
