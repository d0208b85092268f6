import { eventually } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { createOutbox, insertEvents, metric, openTransaction, publishedVersions } from './test-relay.ts'
import type { TestOutbox } from './test-relay.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

const openMs = 60_000
const leastRounds = 30
const others = 20

test('a transaction that stays open for a minute delays nobody else, and its rows come after its commit, in order', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  // The same beside it, where nobody keeps a transaction open: what else slows this machine down slows both down.
  const calmOutbox = await createOutbox()
  const calmRelay = await calmOutbox.startRelay()
  const long = await openTransaction(outbox, connection =>
    insertEvents(
      connection,
      outbox.type,
      [1, 2, 3].map(version => ({ aggregateid: 'long', version })),
    ),
  )

  const begunAtMs = performance.now()
  const delaysMs: number[] = []
  const calmDelaysMs: number[] = []
  let newest = 0
  while (performance.now() - begunAtMs < openMs || newest < leastRounds) {
    newest++
    const [delayMs, calmDelayMs] = await Promise.all([
      publishOneOfEach(outbox, relay, newest),
      publishOneOfEach(calmOutbox, calmRelay, newest),
    ])
    delaysMs.push(delayMs)
    calmDelaysMs.push(calmDelayMs)
  }
  // What would wait for the transaction would wait for the rest of the minute; less than one look at the figures tells nothing.
  // The slowest few are left out: one relay that stands still for a moment says nothing about the transaction either.
  expect(quantile(delaysMs, 0.5), 'median').toBeLessThan(2 * quantile(calmDelaysMs, 0.5) + 100)
  expect(quantile(delaysMs, 0.9), 'p90').toBeLessThan(5 * quantile(calmDelaysMs, 0.9) + 1_000)
  expect((await publishedVersions(outbox.topic)).has('long')).toBe(false)

  await long.end('COMMIT')
  const seen = await publishedVersions(outbox.topic, { count: newest * others + 3 })
  expect(seen.get('long')).toEqual([1, 2, 3])
  for (let i = 0; i < others; i++) {
    expect(seen.get(`other-${i}`)).toEqual(Array.from({ length: newest }, (_, at) => at + 1))
  }
}, 360_000)

/** How long it takes after the commit, in ms, until the next version of every other aggregate is published. */
async function publishOneOfEach(outbox: TestOutbox, relay: RunningService, version: number): Promise<number> {
  const events = Array.from({ length: others }, (_, i) => ({ aggregateid: `other-${i}`, version }))
  await insertEvents(outbox.database.root, outbox.type, events)
  const committedAtMs = performance.now()
  await eventually(
    async () =>
      expect(await metric(relay, 'outbox_relay_published_total')).toBeGreaterThanOrEqual(version * others),
    { what: `${version * others} published rows` },
  )
  return performance.now() - committedAtMs
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}
