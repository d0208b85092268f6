import { createDatabase } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { takeLease } from './cursor-lease.ts'
import type { CursorLeaseOptions } from './cursor-lease.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

test('a lease that ran out before its taker had its epoch is not taken', async () => {
  const database = await createDatabase()
  const mysql = database.connect('cdc-poller')
  const ofPoller = (owner: string, client: Mysql = mysql): CursorLeaseOptions => ({
    mysql: client,
    name: 'cdc.users',
    owner,
    leaseMs: 60_000,
  })
  // Between its taking and its reading what was taken, another poller comes.
  let other: Awaited<ReturnType<typeof takeLease>> = null
  let reads = 0
  const slow: Mysql = {
    ...mysql,
    async rows(sql, values) {
      if (++reads === 2) {
        await database.root.write('UPDATE poller_cursors SET lease_until = NOW(6) - INTERVAL 1 SECOND')
        other = await takeLease(ofPoller('other'))
      }
      return mysql.rows(sql, values)
    },
  }
  expect(await takeLease(ofPoller('slow', slow))).toBe(null)
  expect(other).toMatchObject({ epoch: '2' })
  await other!.save({ updatedAt: '2026-01-01 00:00:00.000000', key: [] })
})
