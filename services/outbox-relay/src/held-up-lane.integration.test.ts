import { eventually } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { laneOf } from './outbox-row.ts'
import {
  createOutbox,
  insertEvent,
  insertEvents,
  metric,
  openTransaction,
  publishedVersions,
} from './test-relay.ts'
import type { Queryable } from '@kafka-pattern/mysql-config'

const readAheadBytes = 65_536
const payloadBytes = 1_000
/** Ten times what may be read ahead. */
const rows = 600

test('a lane that cannot go on holds up no other, keeps no more than it may, and then goes on where it was', async () => {
  const outbox = await createOutbox()
  const { root } = outbox.database
  const [stuck, free] = [aggregateOf(0), aggregateOf(1)]
  const relay = await outbox.startRelay({
    RELAY_LANES: '2',
    READ_AHEAD_BYTES: String(readAheadBytes),
    BATCH_SIZE: '25',
  })
  for (const aggregateid of [stuck, free]) await insertEvent(outbox, { aggregateid, version: 1 })
  await publishedVersions(outbox.topic, { count: 2 })

  // The third row must be parked, which nobody can do while its place is taken; the rest of the lane waits behind it.
  const blocking = await openTransaction(outbox, connection => takeParkingPlace(connection, 3))
  await insertEvent(outbox, { aggregateid: stuck, version: 2, aggregatetype: '?' })
  const text = 'x'.repeat(payloadBytes)
  for (let from = 3; from < 3 + rows; from += 100) {
    await insertEvents(
      root,
      outbox.type,
      Array.from({ length: 100 }, (_, i) => from + i).map(version => ({
        aggregateid: stuck,
        version,
        payload: JSON.stringify({ version, text }),
      })),
    )
  }
  await insertEvent(outbox, { aggregateid: free, version: 2 })
  expect(await publishedVersions(outbox.topic, { count: 3 })).toEqual(
    new Map([
      [stuck, [1]],
      [free, [1, 2]],
    ]),
  )
  // The read that found the free lane's row came by all of the others. What the metrics say next is of a later time.
  const lag = (await metric(relay, 'outbox_relay_lag_seconds')) || 0
  await eventually(async () => expect(await metric(relay, 'outbox_relay_lag_seconds')).toBeGreaterThan(lag), {
    what: 'the age of the row that waits to rise',
  })
  expect(await metric(relay, 'outbox_relay_waiting_bytes')).toBeLessThan(2 * readAheadBytes)
  await insertEvent(outbox, { aggregateid: free, version: 3 })
  expect((await publishedVersions(outbox.topic, { count: 4 })).get(free)).toEqual([1, 2, 3])

  await blocking.end('ROLLBACK')
  expect(await publishedVersions(outbox.topic, { count: rows + 4 })).toEqual(
    new Map([
      [stuck, Array.from({ length: rows + 2 }, (_, i) => i + 1).filter(version => version !== 2)],
      [free, [1, 2, 3]],
    ]),
  )
  expect(await root.rows('SELECT seq FROM relay_parked')).toEqual([{ seq: '3' }])
  expect(await relay.stop()).toBe(0)
  expect((await publishedVersions(outbox.topic)).get(stuck)).toHaveLength(rows + 1)
})

/** One that belongs to this lane of two. */
function aggregateOf(lane: number): string {
  for (let i = 0; ; i++) if (laneOf(`aggregate-${i}`, 2) === lane) return `aggregate-${i}`
}

async function takeParkingPlace(connection: Queryable, seq: number): Promise<void> {
  await connection.write(
    `INSERT INTO relay_parked
       (seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, error, attempts)
     VALUES (?, '', '', '', '', '{}', '', NOW(6), '', 0)`,
    [seq],
  )
}
