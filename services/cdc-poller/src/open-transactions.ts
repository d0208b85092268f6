/** Looks at everything in the server that may still commit rows. Needs the right PROCESS. */
import { randomUUID } from 'node:crypto'
import { microsOf } from './position.ts'
import type { Observation, OpenWork } from './low-mark.ts'
import type { Mysql, Queryable } from '@kafka-pattern/mysql-config'

interface Process {
  Id: number | string
  User: string
  Command: string
  Time: number | string | null
}

interface Transaction {
  id: string | number
  session: string | number
  started: string
  writes: string | number
  statement: string | null
}

/**
 * What is open now, or null when that cannot be told at this moment. The server fills information_schema.innodb_trx anew only when nobody has
 * read it for 100 ms; looked at every 90 ms it never changes again, whoever looks (trx_i_s_possibly_fetch_data_into_cache in
 * storage/innobase/trx). So this look opens a transaction of its own and asks by a statement that no other is like: only if the server
 * shows this very statement in this very transaction is what it shows from now.
 */
export function observeOpenWork(mysql: Mysql): Promise<Observation | null> {
  return mysql.withConnection(look)
}

async function look(connection: Queryable): Promise<Observation | null> {
  const askedAtMs = performance.now()
  const [clock] = await connection.rows<{ now: string; session: string | number }>(
    'SELECT NOW(6) AS now, CONNECTION_ID() AS session',
  )
  if (clock === undefined) throw new Error('the database does not tell the time')
  const atMs = performance.now()
  const now = microsOf(clock.now)
  const own = Number(clock.session)
  const nonce = randomUUID()

  await connection.write('START TRANSACTION WITH CONSISTENT SNAPSHOT')
  // Statements first: one that ends now is seen as a transaction next, or has committed.
  const processes = await connection.rows<Process & Record<string, unknown>>('SHOW PROCESSLIST')
  const transactions = await connection.rows<Transaction & Record<string, unknown>>(
    `SELECT /* ${nonce} */ trx_id AS id, trx_mysql_thread_id AS session, trx_started AS started,
       trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_state <> 'RUNNING' AS writes, trx_query AS statement
     FROM information_schema.innodb_trx`,
  )
  await connection.write('COMMIT')

  const mine = transactions.find(({ session }) => Number(session) === own)
  if (mine?.statement?.includes(nonce) !== true) return null
  return {
    now,
    askedAtMs,
    atMs,
    work: [
      ...processes.filter(process => runsStatement(process, own)).map(each => statementOf(each, now)),
      // Also one that has only locked rows: it may have read the time that it will write. One that has done neither has no rows to
      // show; the statement that will change some is in the process list.
      ...transactions
        .filter(({ writes }) => Number(writes) === 1)
        .map(transaction => transactionOf(transaction, mine, now)),
    ],
  }
}

/** Not a session without a statement or before its login, nor the server's own threads, nor a replica that reads the binary log. */
function runsStatement({ Id, User, Command, Time }: Process, own: number): boolean {
  if (Number(Id) === own) return false
  if (['system user', 'event_scheduler', 'unauthenticated user'].includes(User)) return false
  if (['Sleep', 'Daemon'].includes(Command) || Command.startsWith('Binlog Dump')) return false
  // Those of the last second are within every overlap (OVERLAP_MS is at least that).
  return Number(Time) >= 1
}

/** `Time` has whole seconds, rounded down. */
function statementOf({ Id, Time }: Process, now: number): OpenWork {
  const session = Number(Id)
  return {
    kind: 'statement',
    id: String(session),
    session,
    started: '',
    since: now - (Number(Time) + 1) * 1_000_000,
  }
}

/**
 * `trx_started` has whole seconds, in the time zone of the server's machine whatever the session's is. So only its distance from
 * that of this look's own transaction counts. A negative one, as when summer time ends, tells nothing: it is then as old as can be.
 */
function transactionOf({ id, session, started }: Transaction, mine: Transaction, now: number): OpenWork {
  const age = microsOf(mine.started) - microsOf(started)
  // Its number is its own only from the first change on: before, MariaDB says 0 and MySQL an address that is used again.
  const hasNumber = Number(id) > 0 && Number(id) < 2 ** 48
  return {
    kind: 'transaction',
    id: `${id} ${started}${hasNumber ? '' : ` ${session}`}`,
    session: Number(session),
    started,
    since: age < 0 ? 0 : now - age - 1_000_000,
  }
}
