import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { countVersions, createOutbox, publishedVersions, startWriting } from './test-relay.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

const workload = {
  writers: 8,
  aggregates: 60,
  aggregatesPerTransaction: 3,
  eventsPerAggregate: 2,
  longestTransactionMs: 1_500,
  rollbackShare: 0.1,
}

test('relays killed at any moment: nothing lost, nothing twice, nothing rolled back, every aggregate in order', async () => {
  const outbox = await createOutbox()
  const env = { LEASE_MS: '1000' }
  const writing = await startWriting(outbox, workload)
  const relays: RunningService[] = [await outbox.startRelay(env), await outbox.startRelay(env)]
  for (let kills = 0; kills < 14; kills++) {
    // Every third one may die while it starts.
    if (kills % 3 !== 0) await relays[0]!.waitForLog(line => line.msg === 'lane taken')
    // The other one publishes meanwhile, then takes the lanes over.
    await delay(Math.random() * 1_000)
    await relays.shift()!.kill()
    relays.push(await outbox.startRelay(env, { waitReady: false }))
  }
  await writing.stop()

  const expected = await writing.expected()
  const seen = await publishedVersions(outbox.topic, {
    count: countVersions(expected),
    timeoutMs: 120_000,
  })
  expect(seen).toEqual(expected)
  // Nor comes anything after that.
  await relays[0]!.stop()
  await relays[1]!.stop()
  expect(countVersions(await publishedVersions(outbox.topic))).toBe(countVersions(expected))
}, 420_000)
