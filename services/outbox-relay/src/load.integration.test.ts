import { eventually } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { countVersions, createOutbox, publishedVersions, startWriting } from './test-relay.ts'

test('8 writers, 100,000 rows, transactions of up to 2 s, rollbacks: each committed row once, in order per aggregate', async () => {
  const outbox = await createOutbox()
  await outbox.startRelay()
  const writing = await startWriting(outbox, {
    writers: 8,
    aggregates: 8_000,
    aggregatesPerTransaction: 40,
    eventsPerAggregate: 10,
    longestTransactionMs: 2_000,
    rollbackShare: 0.1,
  })
  await eventually(() => expect(writing.committed).toBeGreaterThanOrEqual(100_000), {
    what: '100,000 committed rows',
    timeoutMs: 150_000,
  })
  await writing.stop()

  const expected = await writing.expected()
  const seen = await publishedVersions(outbox.topic, {
    count: countVersions(expected),
    timeoutMs: 120_000,
  })
  expect(seen).toEqual(expected)
}, 420_000)
