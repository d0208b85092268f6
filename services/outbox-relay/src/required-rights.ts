/** What the relay's database user must be allowed to do, as statements that change nothing; what waits for others is given up. */
import { SchemaError, requireGrants } from '@kafka-pattern/mysql-config'
import { rowColumns } from './outbox-row.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** @throws SchemaError with one sentence */
export async function requireRights(mysql: Mysql): Promise<void> {
  await requireGrants(mysql, 'outbox-relay', statements)
  try {
    await mysql.withConnection(async connection => {
      await connection.write('SET SESSION lock_wait_timeout = 1')
      await requireGrants(connection, 'outbox-relay', [dropOfNoPartition])
    })
  } catch (error) {
    if (!mayDropPartitions(error instanceof SchemaError ? error.cause : error)) throw error
  }
}

const dropOfNoPartition = 'ALTER TABLE outbox DROP PARTITION no_such_partition'

/** Whoever may not is told so before anything else. A backup, or somebody's transaction, may hold up changes of tables for hours. */
function mayDropPartitions(refusal: unknown): boolean {
  return refusal instanceof Error && 'errno' in refusal && refusalsOfWhoMay.has(refusal.errno)
}

const refusalsOfWhoMay = new Set<unknown>([
  1505, // ER_PARTITION_MGMT_ON_NONPARTITIONED
  1507, // ER_DROP_PARTITION_NON_EXISTENT
  1205, // ER_LOCK_WAIT_TIMEOUT
])

const statements: readonly string[] = [
  `SELECT ${rowColumns}, created_at FROM outbox WHERE FALSE`,
  'SELECT COUNT(*) FROM information_schema.innodb_trx',
  'UPDATE relay_leases SET owner = owner WHERE FALSE',
  'INSERT INTO relay_leases (lane) SELECT 0 FROM relay_leases WHERE FALSE',
  'DELETE FROM relay_members WHERE FALSE',
  'INSERT INTO relay_members (relay, alive_until) SELECT relay, alive_until FROM relay_members WHERE FALSE ON DUPLICATE KEY UPDATE alive_until = VALUES(alive_until)',
  `INSERT INTO relay_parked (seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, error, attempts)
   SELECT seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, '', 0 FROM outbox WHERE FALSE
   ON DUPLICATE KEY UPDATE id = VALUES(id), error = VALUES(error), attempts = VALUES(attempts)`,
  'SELECT seq, id FROM relay_parked WHERE FALSE',
]
