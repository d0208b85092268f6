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
 * Rows of megabytes, which are those that Kafka refuses, are copied in time. And of 1,000 numbers MariaDB would make a table
 * (`in_predicate_conversion_threshold`), and read all of the outbox beside it.
 */
const rowsOfStatement = 100

/** Columns that are copied as they are. */
const copied = ['id', 'aggregatetype', 'aggregateid', 'type', 'payload', 'correlation_id', 'created_at']

/**
 * A copy of the same number, of a row that the table had before it was begun anew, gives way. With many numbers a server may read the whole
 * table rather than look them up, and as it locks what it reads, wait for every transaction that has written there: hence the index.
 */
const parkStatement = `INSERT INTO relay_parked (seq, ${copied.join(', ')}, error, attempts)
  SELECT seq, ${copied.join(', ')}, ?, ? FROM outbox FORCE INDEX (PRIMARY) WHERE seq IN (?)
  ON DUPLICATE KEY UPDATE parked_at = IF(relay_parked.id = VALUES(id), parked_at, NOW(6)), ${[...copied, 'error', 'attempts'].map(each => `${each} = VALUES(${each})`).join(', ')}`

/**
 * Copies the rows. Once it returns they are stored; who parks one again changes nothing but the reason. Others wait for the lease meanwhile, so
 * it takes few statements.
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
    for (const alike of Map.groupBy(rows, ({ reason, attempts }) => `${attempts} ${reason}`).values()) {
      const { reason, attempts } = alike[0]!
      for (let from = 0; from < alike.length; from += rowsOfStatement) {
        const seqs = alike.slice(from, from + rowsOfStatement).map(({ seq }) => seq)
        await transaction.write(parkStatement, [reason.slice(0, longestReasonChars), attempts, seqs])
      }
    }
    return true
  })
}

/**
 * The numbers of the parked rows from `fromSeq` on. A copy outlives its row: in a table that was begun anew its number is another
 * row's.
 */
export async function parkedSeqs(mysql: Mysql, fromSeq: number): Promise<ReadonlySet<number>> {
  const rows = await mysql.rows<{ seq: string }>(
    `SELECT p.seq FROM relay_parked p STRAIGHT_JOIN outbox o ON o.seq = p.seq AND o.id = p.id
     WHERE p.seq >= ?`,
    [fromSeq],
  )
  return new Set(rows.map(({ seq }) => Number(seq)))
}
