/** The only place that opens connections to MySQL or MariaDB. */
import { readFileSync } from 'node:fs'
import { retry, type RetryPolicy } from '@kafka-pattern/retry'
import { createPool, escape, type Pool, type PoolConnection } from 'mysql2'
import type { Logger } from 'pino'
import { classifyMysqlError, isOutcomeUnknown, MysqlConfigError, UnknownOutcomeError } from './errors.ts'
import { Lease, type LimitedRows, type Queryable, type ReadLimits, type Row } from './lease.ts'
import type { MysqlSettings } from './settings.ts'

export interface Mysql extends Queryable {
  /**
   * A SELECT for many rows, without LIMIT, which is added here. It ends with the last row that is asked for, or with the one that passes the
   * limit of bytes, however long the rows are. To be cut before the last row costs the connection: ask for as many as fit.
   */
  limitedRows(sql: string, values: readonly unknown[], limits: ReadLimits): Promise<LimitedRows<Row>>
  /** The same, and each row an array of its columns. */
  rowArrays(sql: string, limits: ReadLimits): Promise<LimitedRows<unknown[]>>
  /**
   * Runs `work` in one transaction and commits; whatever `work` throws rolls it back. Deadlocks and lock waits roll it back and
   * begin anew, a few times, so `work` may run more than once: it does nothing but SQL.
   * @throws UnknownOutcomeError when the connection was lost during COMMIT
   * @throws RetriesExhaustedError of the class 'retry transaction' when others were in the way every time
   */
  inTransaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>
  /** One connection for `work` alone, for what lives in a session (GET_LOCK, snapshots). Destroyed when `work` throws. */
  withConnection<T>(work: (connection: Queryable) => Promise<T>): Promise<T>
  /**
   * Resolves when the server answers and takes changes. Asks on a connection of its own: who waits for a lock may hold all others.
   * @throws MysqlConfigError of the class 'unavailable' when it is read-only
   */
  health(): Promise<void>
  /**
   * Takes nothing more; resolves when what was begun has ended and the connections are closed.
   * @param limitMs of what is still not done then the connections are cut: the server rolls it back, unless it is a COMMIT
   */
  close(limitMs?: number): Promise<void>
}

export interface MysqlOptions {
  /** Statements that run first on every new connection, such as `SET wait_timeout = 30`. */
  onConnect?: readonly string[]
  /** What `affectedRows` counts of an update: the rows that it found (default), or only those that it changed. */
  affectedRows?: 'found' | 'changed'
  /** No statement is waited for longer, nor a free connection: 60,000 by default. A transaction is not begun anew after it. */
  answerTimeoutMs?: number
}

const maxQueuedRequests = 1_000
const connectTimeoutMs = 5_000
const defaultAnswerTimeoutMs = 60_000
const healthTimeoutMs = 5_000
/** By default the system asks after two hours of silence whether the other side is still there. */
const keepAliveInitialDelayMs = 10_000
/** How long closed connections may take to say goodbye to a server that perhaps does not listen any more. */
const goodbyeTimeoutMs = 2_000

/**
 * `timezone` of mysql2 is about values on this side only; NOW() is the session's. Without a strict mode, which a server may have
 * turned off, values that do not fit are cut to fit; and the escaping of values on this side relies on backslashes. A server may also be told
 * that sessions do not commit by themselves: then nothing would be stored, and every read would show what the first one did.
 */
const sessionStatement = "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL', autocommit = 1"

/** Opens nothing yet: connections are made when they are needed, at most MYSQL_POOL_SIZE, and one for `health()`. */
export function createMysql(settings: MysqlSettings, logger: Logger, options: MysqlOptions = {}): Mysql {
  const { onConnect = [], affectedRows = 'found', answerTimeoutMs = defaultAnswerTimeoutMs } = options
  const pool = openPool(settings, settings.MYSQL_POOL_SIZE, affectedRows)
  const healthPool = openPool(settings, 1, affectedRows)
  const prepared = new WeakSet<PoolConnection>()
  const transactionPolicy: RetryPolicy = {
    kind: 'exponential',
    baseMs: 20,
    factor: 2,
    capMs: 500,
    jitter: 'full',
    maxAttempts: 5,
    maxElapsedMs: answerTimeoutMs,
  }
  const lent = new Set<Lease>()
  let borrowed = 0
  const giveUps = new Set<GiveUp>()
  const allReturned = Promise.withResolvers<void>()
  let closed: Promise<void> | null = null

  /** Gives `work` a connection of its own; back into the pool goes only one that is known to be as it came. */
  async function borrow<T>(waitMs: number, work: (lease: Lease) => Promise<T>, from = pool): Promise<T> {
    if (closed !== null)
      throw new MysqlConfigError('the connections to the database are closed', 'unavailable')
    borrowed++
    try {
      const lease = new Lease(await getConnection(from, waitMs, giveUps), waitMs)
      lent.add(lease)
      try {
        if (!prepared.has(lease.connection)) {
          // Awaited: no statement may run in a session of which it is not known that it is in UTC.
          for (const statement of [sessionStatement, ...onConnect]) await lease.run(statement)
          prepared.add(lease.connection)
        }
        return await work(lease)
      } catch (error) {
        if (!prepared.has(lease.connection)) lease.discard()
        throw error
      } finally {
        lent.delete(lease)
        lease.end()
      }
    } finally {
      borrowed--
      if (closed !== null && borrowed === 0) allReturned.resolve()
    }
  }

  async function closeAll(limitMs = Infinity): Promise<void> {
    const limit = limitMs === Infinity ? undefined : setTimeout(cutAll, limitMs)
    if (borrowed > 0) await allReturned.promise
    clearTimeout(limit)
    await Promise.all([sayGoodbye(pool), sayGoodbye(healthPool)])
  }

  function cutAll(): void {
    // First those who wait: they would get the places of those that are cut, and begin what nobody ends.
    for (const giveUp of giveUps)
      giveUp(new MysqlConfigError('closed before a connection to the database was free', 'unavailable'))
    for (const lease of lent) lease.cut(timeIsUp())
  }

  /** To a server that is gone it fails, or takes for ever: closed is closed. */
  function sayGoodbye(to: Pool): Promise<void> {
    return new Promise(resolve => {
      to.end(error => {
        if (error) logger.debug({ err: error }, 'closing connections')
        resolve()
      })
      setTimeout(resolve, goodbyeTimeoutMs).unref()
    })
  }

  return {
    rows: (sql, values) =>
      borrow(answerTimeoutMs, lease => lease.queryable({ commitsItself: true }).rows(sql, values)),
    write: (sql, values) =>
      borrow(answerTimeoutMs, lease => lease.queryable({ commitsItself: true }).write(sql, values)),
    limitedRows: (sql, values, limits) =>
      borrow(answerTimeoutMs, lease => lease.limitedRows(sql, values, limits)),
    rowArrays: (sql, limits) => borrow(answerTimeoutMs, lease => lease.rowArrays(sql, limits)),
    withConnection: work =>
      borrow(answerTimeoutMs, async lease => {
        try {
          return await work(lease.queryable({ commitsItself: true }))
        } catch (error) {
          // In which state the session is, nobody knows.
          lease.discard()
          throw error
        }
      }),
    inTransaction: work =>
      retry(() => borrow(answerTimeoutMs, lease => transact(lease, work)), {
        policy: transactionPolicy,
        isRetryable: error => classifyMysqlError(error) === 'retry transaction',
        onRetry: ({ attempt, error }) =>
          logger.debug(
            { attempt, reason: error instanceof Error ? error.message : String(error) },
            'transaction begins again',
          ),
      }),
    health: () => borrow(Math.min(answerTimeoutMs, healthTimeoutMs), requireWritable, healthPool),
    close: limitMs => (closed ??= closeAll(limitMs)),
  }
}

function openPool(
  settings: MysqlSettings,
  connectionLimit: number,
  affectedRows: MysqlOptions['affectedRows'],
): Pool {
  const pool = createPool({
    host: settings.MYSQL_HOST,
    port: settings.MYSQL_PORT,
    user: settings.MYSQL_USER,
    password: settings.MYSQL_PASSWORD,
    database: settings.MYSQL_DATABASE,
    connectionLimit,
    queueLimit: maxQueuedRequests,
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    keepAliveInitialDelay: keepAliveInitialDelayMs,
    timezone: 'Z',
    // A Date has milliseconds only, and a double not every BIGINT.
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    // MariaDB has no JSON type: parsed here and text there would be two contracts.
    jsonStrings: true,
    // By default an object becomes `key` = value, SQL that the caller of an API could write.
    stringifyObjects: true,
    charset: 'utf8mb4',
    ...(affectedRows === 'changed' && { flags: ['-FOUND_ROWS'] }),
    ...tls(settings),
  })
  // Every error reaches whoever waits for an answer. What mysql2 emits besides, without a listener, would end the process.
  pool.on('connection', connection => connection.on('error', () => {}))
  return pool
}

type GiveUp = (why: MysqlConfigError) => void

/** mysql2 waits for a free connection for ever; one that comes too late goes back. While it waits, `giveUps` has how to end that. */
function getConnection(from: Pool, waitMs: number, giveUps: Set<GiveUp>): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    /** False when it had been given up before. */
    const stopWaiting = (): boolean => {
      clearTimeout(timer)
      return giveUps.delete(giveUp)
    }
    const giveUp: GiveUp = why => {
      stopWaiting()
      reject(why)
    }
    const sentence = `no connection to the database was free within ${waitMs} ms`
    const timer = setTimeout(() => giveUp(new MysqlConfigError(sentence, 'unavailable')), waitMs)
    giveUps.add(giveUp)
    from.getConnection((error, connection) => {
      const isLate = !stopWaiting()
      if (error) reject(error)
      else if (isLate) connection.release()
      else resolve(connection)
    })
  })
}

function timeIsUp(): MysqlConfigError {
  return new MysqlConfigError('the connection was cut: there was no more time to close it', 'unavailable')
}

async function requireWritable(lease: Lease): Promise<void> {
  const [found] = await lease
    .queryable({ commitsItself: true })
    .rows<{ readOnly: unknown }>('SELECT @@read_only AS readOnly')
  // A number on MySQL, on newer MariaDB a word.
  if (['0', 'OFF'].includes(String(found?.readOnly))) return
  // The next connection may lead to the server that took over.
  lease.discard()
  throw new MysqlConfigError('the database is read-only', 'unavailable')
}

async function transact<T>(lease: Lease, work: (transaction: Queryable) => Promise<T>): Promise<T> {
  await lease.run('START TRANSACTION')
  let result: T
  try {
    result = await work(lease.queryable({ commitsItself: false }))
  } catch (error) {
    await lease.rollback()
    throw error
  }
  try {
    await lease.run('COMMIT')
  } catch (error) {
    await lease.rollback()
    throw isOutcomeUnknown(error) ? new UnknownOutcomeError(error) : error
  }
  return result
}

function tls({ MYSQL_TLS, MYSQL_TLS_CA_FILE }: MysqlSettings): object {
  if (!MYSQL_TLS && MYSQL_TLS_CA_FILE === undefined) return {}
  return {
    ssl: {
      // By default any certificate of a trusted authority would do, whatever host it was made for.
      verifyIdentity: true,
      ...(MYSQL_TLS_CA_FILE !== undefined && { ca: readFileSync(MYSQL_TLS_CA_FILE) }),
    },
  }
}

/** The text as an SQL literal, for statements that are put together by hand because there are thousands of values. */
export function quoteText(text: string): string {
  return escape(text)
}

/**
 * SQL as one value of a statement, `INSERT … VALUES ?`: put in as it is. What is shown of a statement that fails is without its values,
 * so without this.
 */
export function sqlText(sql: string): { toSqlString(): string } {
  return { toSqlString: () => sql }
}
