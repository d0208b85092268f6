import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
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
