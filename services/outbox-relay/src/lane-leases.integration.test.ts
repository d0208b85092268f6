import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { longestLeaseMs } from './config.ts'
import { LaneLeases, requireLanes } from './lane-leases.ts'

test('a renewal that takes longer than the lease costs neither the lanes nor the share', async () => {
  const database = await createDatabase()
  const mysql = database.connect('outbox-relay')
  await requireLanes(mysql, 2)
  // What it says of itself is over when the next statement begins.
  const slow = new LaneLeases({ mysql, owner: 'slow', leaseMs: 0 })
  expect((await slow.renew()).moves).toEqual({ release: [], claim: [0, 1] })
  expect(await mysql.rows('SELECT relay FROM relay_members')).toEqual([{ relay: 'slow' }])
  expect(await slow.claim(0)).toBe(true)
  expect(await slow.claim(1)).toBe(true)
  expect(await slow.renew()).toEqual({ held: [0, 1], moves: { release: [], claim: [] } })

  const other = new LaneLeases({ mysql, owner: 'other', leaseMs: 60_000 })
  await other.renew()
  expect(await slow.renew()).toEqual({ held: [0, 1], moves: { release: [1], claim: [] } })
})

test("after the database's clock has stepped back a dead relay's lanes and its share are free at once", async () => {
  const database = await createDatabase()
  const mysql = database.connect('outbox-relay')
  await requireLanes(mysql, 2)
  const dead = new LaneLeases({ mysql, owner: 'dead', leaseMs: longestLeaseMs })
  await dead.renew()
  for (const lane of [0, 1]) await dead.claim(lane)
  const other = new LaneLeases({ mysql, owner: 'other', leaseMs: 500 })
  // Another relay's lease may be longer than one's own.
  expect((await other.renew()).moves).toEqual({ release: [], claim: [] })
  expect(await other.claim(0)).toBe(false)

  await mysql.write('UPDATE relay_leases SET lease_until = lease_until + INTERVAL 1 HOUR')
  await mysql.write(
    "UPDATE relay_members SET alive_until = alive_until + INTERVAL 1 HOUR WHERE relay = 'dead'",
  )
  expect((await other.renew()).moves).toEqual({ release: [], claim: [0, 1] })
  expect(await other.claim(0)).toBe(true)
  expect(await other.claim(1)).toBe(true)
})
