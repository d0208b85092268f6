/** What the relay's database user must be allowed to do, as statements that change nothing. */
import { rowColumns } from './outbox-row.ts'

export const neededStatements: readonly string[] = [
  `SELECT ${rowColumns}, created_at FROM outbox WHERE FALSE`,
  'SELECT COUNT(*) FROM information_schema.innodb_trx',
  'UPDATE relay_leases SET owner = owner WHERE FALSE',
  'INSERT INTO relay_leases (lane) SELECT 0 FROM relay_leases WHERE FALSE',
  'DELETE FROM relay_members WHERE FALSE',
  'INSERT INTO relay_members (relay, alive_until) SELECT relay, alive_until FROM relay_members WHERE FALSE ON DUPLICATE KEY UPDATE alive_until = VALUES(alive_until)',
  `INSERT INTO relay_parked (seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, error, attempts)
   SELECT seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, '', 0 FROM outbox WHERE FALSE
   ON DUPLICATE KEY UPDATE error = VALUES(error), attempts = VALUES(attempts)`,
  'SELECT seq FROM relay_parked WHERE FALSE',
]
