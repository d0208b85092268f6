/** Which transactions that write are open. Needs the right PROCESS. */
import { randomUUID } from 'node:crypto'
import type { Mysql } from '@kafka-pattern/mysql-config'

interface Transaction {
  started: string
  writes: number | string
  statement: string | null
  [column: string]: unknown
}

/**
 * The seconds in which the open transactions began that have changed or locked anything, or null when the server shows an old
 * picture: it fills information_schema.innodb_trx anew only when nobody has read it for 100 ms
 * (trx_i_s_possibly_fetch_data_into_cache). That the picture is fresh, this statement proves by itself: it runs in a transaction of
 * its own, which must be in the picture, running a text that nobody else runs.
 *
 * The second is all that a transaction keeps from its beginning to its end: its id changes when it first writes, and its session
 * goes when it is prepared (XA). Others that began in the same second are waited for with it, no more than that.
 */
export async function lookAtOpenTransactions(mysql: Mysql): Promise<ReadonlySet<string> | null> {
  return mysql.withConnection(async connection => {
    const nonce = randomUUID()
    await connection.write('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    const transactions = await connection.rows<Transaction>(
      `SELECT /* ${nonce} */ trx_started AS started, trx_query AS statement,
         trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_state <> 'RUNNING' AS writes
       FROM information_schema.innodb_trx`,
    )
    await connection.write('COMMIT')
    if (!transactions.some(({ statement }) => statement?.includes(nonce))) return null
    return new Set(transactions.filter(({ writes }) => Number(writes) === 1).map(({ started }) => started))
  })
}
