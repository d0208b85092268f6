/** Which transactions that write are open. Needs the right PROCESS. */
import { randomUUID } from 'node:crypto'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** What a server showed. */
export interface TransactionsLook {
  /** The seconds in which those began that have changed or locked anything. */
  readonly open: ReadonlySet<string>
  readonly server: string
  /** How long it had been running: to the second only. */
  readonly serverUpMs: number
  /** By the server's own clock, to the second only. */
  readonly serverStartedMs: number
  /** Before it was asked, of a monotonic clock. */
  readonly begunAtMs: number
}

interface Transaction {
  started: string
  writes: number | string
  statement: string | null
  server: string
  nowMs: number | string
  [column: string]: unknown
}

/**
 * The open transactions, or null when the server shows an old picture: it fills information_schema.innodb_trx anew only when nobody has
 * read it for 100 ms (trx_i_s_possibly_fetch_data_into_cache). That the picture is fresh, this statement proves by itself: it runs in a
 * transaction of its own, which must be in the picture, running a text that nobody else runs.
 *
 * The second is all that a transaction keeps from its beginning to its end: its id changes when it first writes, and its session
 * goes when it is prepared (XA). Others that began in the same second are waited for with it, no more than that.
 */
export async function lookAtOpenTransactions(mysql: Mysql): Promise<TransactionsLook | null> {
  const begunAtMs = performance.now()
  return mysql.withConnection(async connection => {
    const [uptime] = await connection.rows<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Uptime'")
    const nonce = randomUUID()
    await connection.write('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    const transactions = await connection.rows<Transaction>(
      `SELECT /* ${nonce} */ trx_started AS started, trx_query AS statement,
         trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_state <> 'RUNNING' AS writes,
         CONCAT_WS(' ', @@hostname, @@port, @@server_id) AS server,
         UNIX_TIMESTAMP(NOW(6)) * 1000 AS nowMs
       FROM information_schema.innodb_trx`,
    )
    await connection.write('COMMIT')
    const own = transactions.find(({ statement }) => statement?.includes(nonce))
    if (own === undefined) return null
    const open = new Set(
      transactions.filter(({ writes }) => Number(writes) === 1).map(({ started }) => started),
    )
    const serverUpMs = Number(uptime?.Value ?? 0) * 1_000
    return {
      open,
      server: own.server,
      serverUpMs,
      serverStartedMs: Number(own.nowMs) - serverUpMs,
      begunAtMs,
    }
  })
}

/**
 * Whether the server was, or may have been, restarted between two looks, or another one has taken its place. Not even the second is kept
 * then: a prepared transaction is listed with the one in which it was recovered.
 *
 * The clock of this host stands still while the host is suspended, so that a server which was restarted meanwhile seems to have been running
 * all the time: hence the server's own clock as well.
 */
export function mayBeAnotherServer(earlier: TransactionsLook, later: TransactionsLook): boolean {
  // Seconds are rounded, at both ends of the time that the server has been running.
  const roundingMs = 2_000
  return (
    later.server !== earlier.server ||
    later.serverUpMs <= later.begunAtMs - earlier.begunAtMs + roundingMs ||
    Math.abs(later.serverStartedMs - earlier.serverStartedMs) > roundingMs
  )
}
