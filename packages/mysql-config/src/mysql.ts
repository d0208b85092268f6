/** The only place that opens connections to MySQL or MariaDB. */
import { readFileSync } from 'node:fs'
import { retry, type RetryPolicy } from '@kafka-pattern/retry'
import {
  createPool,
  escape,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise'
import type { Logger } from 'pino'
import { classifyMysqlError, UnknownOutcomeError } from './errors.ts'
import type { MysqlSettings } from './settings.ts'

/** DATETIME and BIGINT as text with nothing lost, JSON parsed. */
export type Row = Record<string, unknown>

export type Written = { affectedRows: number; insertId: string; info: string }

export interface Queryable {
  /** Rows of a SELECT. Values are escaped on this side; `VALUES ?` takes an array of rows. */
  rows<R extends Row = Row>(sql: string, values?: readonly unknown[]): Promise<R[]>
  /** Runs what changes something. */
  write(sql: string, values?: readonly unknown[]): Promise<Written>
}

export interface Mysql extends Queryable {
  /**
   * Runs `work` in one transaction and commits. Deadlocks and lock waits roll it back and begin anew, a few times.
   * @throws UnknownOutcomeError when the connection was lost during COMMIT
   */
  inTransaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>
  /** One connection for `work` alone, for what lives in a session (GET_LOCK, snapshots). Destroyed when `work` throws. */
  withConnection<T>(work: (connection: Queryable) => Promise<T>): Promise<T>
  /** Resolves when the server answers. */
  health(): Promise<void>
  close(): Promise<void>
}

const transactionPolicy: RetryPolicy = {
  kind: 'exponential',
  baseMs: 20,
  factor: 2,
  capMs: 500,
  jitter: 'full',
  maxAttempts: 5,
}
const maxQueuedRequests = 1_000
const connectTimeoutMs = 5_000

export interface SessionOptions {
  /** Statements that run first on every new connection, such as `SET wait_timeout = 30`. */
  onConnect?: readonly string[]
  /** What `affectedRows` counts of an update: the rows that it found (default), or only those that it changed. */
  affectedRows?: 'found' | 'changed'
}

export function createMysql(
  settings: MysqlSettings,
  logger: Logger,
  { onConnect = [], affectedRows = 'found' }: SessionOptions = {},
): Mysql {
  const pool = createPool({
    host: settings.MYSQL_HOST,
    port: settings.MYSQL_PORT,
    user: settings.MYSQL_USER,
    password: settings.MYSQL_PASSWORD,
    database: settings.MYSQL_DATABASE,
    connectionLimit: settings.MYSQL_POOL_SIZE,
    queueLimit: maxQueuedRequests,
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    timezone: 'Z',
    // A Date has milliseconds only, and a double not every BIGINT.
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    charset: 'utf8mb4',
    ...(affectedRows === 'changed' && { flags: ['-FOUND_ROWS'] }),
    ...(settings.MYSQL_TLS && {
      ssl: settings.MYSQL_TLS_CA_FILE === undefined ? {} : { ca: readFileSync(settings.MYSQL_TLS_CA_FILE) },
    }),
  })
  // `timezone` is about values on this side only; NOW() is the session's. Without a strict mode, which a server may have turned
  // off, values that do not fit are cut to fit; and the escaping of values on this side relies on backslashes.
  pool.on('connection', connection => {
    for (const statement of ["SET time_zone = '+00:00', sql_mode = 'TRADITIONAL'", ...onConnect]) {
      connection.query(statement)
    }
  })

  async function withConnection<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await pool.getConnection()
    try {
      const result = await work(connection)
      connection.release()
      return result
    } catch (error) {
      // In which state the session is, nobody knows: it goes.
      connection.destroy()
      throw error
    }
  }

  return {
    rows: queryable(pool).rows,
    write: queryable(pool).write,
    withConnection: work => withConnection(connection => work(queryable(connection))),
    inTransaction: work =>
      retry(() => withConnection(connection => transact(connection, work)), {
        policy: transactionPolicy,
        isRetryable: error => classifyMysqlError(error) === 'retry transaction',
        onRetry: ({ attempt, error }) => logger.debug({ attempt, err: error }, 'transaction begins again'),
      }),
    async health() {
      await pool.query('SELECT 1')
    },
    close: () => pool.end(),
  }
}

async function transact<T>(
  connection: PoolConnection,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  await connection.beginTransaction()
  const result = await work(queryable(connection))
  try {
    await connection.commit()
  } catch (error) {
    throw classifyMysqlError(error) === 'unavailable' ? new UnknownOutcomeError(error) : error
  }
  return result
}

/** The text as an SQL literal, for statements that are put together by hand because there are thousands of values. */
export function quoteText(text: string): string {
  return escape(text)
}

type Client = Pick<PoolConnection, 'query'>

function queryable(client: Client): Queryable {
  return {
    async rows<R extends Row>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
      const [rows] = await client.query<(R & RowDataPacket)[]>(sql, [...values])
      return rows
    },
    async write(sql, values = []) {
      const [{ affectedRows, insertId, info }] = await client.query<ResultSetHeader>(sql, [...values])
      return { affectedRows, insertId: String(insertId), info }
    },
  }
}
