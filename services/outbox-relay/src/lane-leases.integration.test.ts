import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test, vi } from 'vitest'
import { longestLeaseMs } from './config.ts'
import { LaneLeases, notedMarks, requireLanes } from './lane-leases.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

test('a renewal that takes longer than the lease costs neither the lanes nor the share', async () => {
  const database = await createDatabase()
  const mysql = database.connect('outbox-relay')
  await requireLanes(mysql, 2)
  // What it says of itself is over when the next statement begins.
  const slow = new LaneLeases({ mysql, owner: 'slow', leaseMs: 0 })
  expect((await slow.renew()).moves).toEqual({ release: [], claim: [0, 1] })
  expect(await mysql.rows('SELECT relay FROM relay_members')).toEqual([{ relay: 'slow' }])
  expect(await slow.claim([0, 1])).toEqual([0, 1])
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
  await dead.claim([0, 1])
  const other = new LaneLeases({ mysql, owner: 'other', leaseMs: 500 })
  // Another relay's lease may be longer than one's own.
  expect((await other.renew()).moves).toEqual({ release: [], claim: [] })
  expect(await other.claim([0])).toEqual([])

  await mysql.write('UPDATE relay_leases SET lease_until = lease_until + INTERVAL 1 HOUR')
  await mysql.write(
    "UPDATE relay_members SET alive_until = alive_until + INTERVAL 1 HOUR WHERE relay = 'dead'",
  )
  expect((await other.renew()).moves).toEqual({ release: [], claim: [0, 1] })
  expect(await other.claim([0, 1])).toEqual([0, 1])
})

test('hundreds of lanes are claimed and noted with a statement or two: a lease of half a second is not over meanwhile', async () => {
  const database = await createDatabase()
  const mysql = database.connect('outbox-relay')
  await requireLanes(mysql, 256)
  const write = vi.fn<Mysql['write']>((sql, values) => mysql.write(sql, values))
  const leases = new LaneLeases({ mysql: { ...mysql, write }, owner: 'relay', leaseMs: 60_000 })
  const lanes = Array.from({ length: 256 }, (_, lane) => lane)
  await mysql.write(
    "UPDATE relay_leases SET owner = 'other', lease_until = NOW(6) + INTERVAL 1 MINUTE WHERE lane = 7",
  )
  const free = lanes.filter(lane => lane !== 7)
  expect(await leases.claim(lanes)).toEqual(free)
  const marks = lanes.map(number => ({ number, publishedUpTo: number % 2 === 0 ? number + 1 : null }))
  await leases.note(marks)
  await leases.note(marks)
  expect(write).toHaveBeenCalledTimes(2)
  // What another one has, and what nobody knows, is left as it was.
  expect(await notedMarks(mysql)).toEqual(marks.map(({ publishedUpTo }) => publishedUpTo))
})
