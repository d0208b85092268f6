/** What the relay's database user must be allowed to do, as statements that change nothing. */
import { SchemaError, requireGrants } from '@kafka-pattern/mysql-config'
import { rowColumns } from './outbox-row.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** @throws SchemaError with one sentence */
export async function requireRights(mysql: Mysql): Promise<void> {
  await requireGrants(mysql, 'outbox-relay', statements)
  try {
    await requireGrants(mysql, 'outbox-relay', [dropOfNoPartition])
  } catch (error) {
    if (!(error instanceof SchemaError) || !isAboutPartition(error.cause)) throw error
  }
}

/** Refused for the partition, by whom may drop one: there is none of that name, or the table has none at all. */
const dropOfNoPartition = 'ALTER TABLE outbox DROP PARTITION no_such_partition'
const partitionErrors = new Set<unknown>([1505, 1507])

function isAboutPartition(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && partitionErrors.has(error.errno)
}

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
