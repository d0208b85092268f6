import { eventually } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { createOutbox, insertEvents, metric, openTransaction, publishedVersions } from './test-relay.ts'

const openMs = 60_000

test('a transaction that stays open for a minute delays nobody else, and its rows come after its commit, in order', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  const long = await openTransaction(outbox, connection =>
    insertEvents(
      connection,
      outbox.type,
      [1, 2, 3].map(version => ({ aggregateid: 'long', version })),
    ),
  )

  const begunAtMs = performance.now()
  const delaysMs: number[] = []
  let others = 0
  for (let version = 1; performance.now() - begunAtMs < openMs; version++) {
    const events = Array.from({ length: 20 }, (_, i) => ({ aggregateid: `other-${i}`, version }))
    await insertEvents(outbox.database.root, outbox.type, events)
    const committedAtMs = performance.now()
    others += events.length
    await eventually(
      async () => expect(await metric(relay, 'outbox_relay_published_total')).toBeGreaterThanOrEqual(others),
      { what: `${others} published rows` },
    )
    delaysMs.push(performance.now() - committedAtMs)
  }
  expect(others).toBeGreaterThan(2_000)
  const p99Ms = delaysMs.toSorted((a, b) => a - b)[Math.floor(delaysMs.length * 0.99)]!
  expect(p99Ms, 'p99 of the others').toBeLessThan(openMs / 10)
  expect((await publishedVersions(outbox.topic)).has('long')).toBe(false)

  await long.end('COMMIT')
  const seen = await publishedVersions(outbox.topic, { count: others + 3 })
  expect(seen.get('long')).toEqual([1, 2, 3])
  const newest = others / 20
  for (let i = 0; i < 20; i++) {
    expect(seen.get(`other-${i}`)).toEqual(Array.from({ length: newest }, (_, at) => at + 1))
  }
}, 240_000)
