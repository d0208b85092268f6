/** Rows that cannot be published are put aside, whole, so that whoever repairs them has all of them. */
import type { Mysql } from '@kafka-pattern/mysql-config'

export interface ParkedRow {
  readonly seq: number
  readonly reason: string
  /** How often it was tried. */
  readonly attempts: number
}

/** What is left of a reason in the table. */
const longestReasonChars = 2_000

/**
 * Copies the rows. Once it returns they are stored; who parks one again changes nothing but the reason.
 * @returns false when the lane is not the owner's any more: then nothing is parked, the next owner decides
 */
export async function parkRows(
  mysql: Mysql,
  { lane, owner }: { lane: number; owner: string },
  rows: readonly ParkedRow[],
): Promise<boolean> {
  return mysql.inTransaction(async transaction => {
    // Locked until the end, so that nobody takes the lane over in between and publishes what is parked here.
    const held = await transaction.rows(
      'SELECT lane FROM relay_leases WHERE lane = ? AND owner = ? FOR UPDATE',
      [lane, owner],
    )
    if (held.length === 0) return false
    for (const { seq, reason, attempts } of rows) {
      await transaction.write(
        `INSERT INTO relay_parked
           (seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, error, attempts)
         SELECT seq, id, aggregatetype, aggregateid, type, payload, correlation_id, created_at, ?, ?
         FROM outbox WHERE seq = ?
         ON DUPLICATE KEY UPDATE error = VALUES(error), attempts = VALUES(attempts)`,
        [reason.slice(0, longestReasonChars), attempts, seq],
      )
    }
    return true
  })
}

/** The numbers of the parked rows from `fromSeq` on. */
export async function parkedSeqs(mysql: Mysql, fromSeq: number): Promise<ReadonlySet<number>> {
  const rows = await mysql.rows<{ seq: string }>('SELECT seq FROM relay_parked WHERE seq >= ?', [fromSeq])
  return new Set(rows.map(({ seq }) => Number(seq)))
}
