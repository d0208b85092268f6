import { getSystemErrorName } from 'node:util'
import { RetriesExhaustedError } from '@kafka-pattern/retry'

/**
 * What can go wrong with the database, in classes that a caller can act upon:
 * - 'retry transaction': it was rolled back for the sake of others (deadlock, lock wait); begin it again
 * - 'unavailable': no connection, or the server is starting, full, read-only or going away; the same works later
 * - 'data': these values are refused by a constraint or a type; others are not
 * - 'fatal': rights, schema or statement are wrong; nothing works until a person changes something
 */
export type MysqlErrorClass = 'retry transaction' | 'unavailable' | 'data' | 'fatal'

/** Every error that this package makes itself. `cause` is what the server or the network said. */
export class MysqlConfigError extends Error {
  readonly category: MysqlErrorClass
  constructor(message: string, category: MysqlErrorClass, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.category = category
  }
}

/** The connection was lost after COMMIT (or a statement that commits itself) was sent: it may be stored or not. */
export class UnknownOutcomeError extends MysqlConfigError {
  constructor(cause: unknown) {
    super(
      'the connection was lost before the database said that it has committed: the outcome is unknown',
      'unavailable',
      cause,
    )
  }
}

/** The database, or what its user may do, is not what the service was written for. One sentence with the remedy. */
export class SchemaError extends MysqlConfigError {
  /** EX_CONFIG of sysexits.h: service-runtime ends a service with it whose start throws this. */
  readonly exitCode = 78
  constructor(message: string, cause?: unknown) {
    super(message, 'fatal', cause)
  }
}

// Numbers of MySQL: https://dev.mysql.com/doc/mysql-errors/9.7/en/server-error-reference.html, and of MariaDB where it has its own:
// https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference
const readOnlyNumbers = new Set([
  1290, // ER_OPTION_PREVENTS_STATEMENT: --read-only
  1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1836, // ER_READ_ONLY_MODE
])
/** The commit itself failed, in one place or another. */
const failedCommitNumbers = new Set([
  1180, // ER_ERROR_DURING_COMMIT
  1598, // ER_BINLOG_LOGGING_IMPOSSIBLE
])
const classes: readonly (readonly [MysqlErrorClass, readonly number[]])[] = [
  [
    'retry transaction',
    [
      1213, // ER_LOCK_DEADLOCK
      1205, // ER_LOCK_WAIT_TIMEOUT
      3572, // ER_LOCK_NOWAIT
      1412, // ER_TABLE_DEF_CHANGED: a partition was added or dropped since the snapshot
      1020, // ER_CHECKREAD: with innodb_snapshot_isolation of MariaDB, a row that changed since the snapshot
      1613, // ER_XA_RBTIMEOUT
      1614, // ER_XA_RBDEADLOCK
      3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: certification of group replication
    ],
  ],
  [
    'unavailable',
    [
      ...readOnlyNumbers,
      1040, // ER_CON_COUNT_ERROR
      1203, // ER_TOO_MANY_USER_CONNECTIONS
      1226, // ER_USER_LIMIT_REACHED
      1053, // ER_SERVER_SHUTDOWN
      1079, // ER_SHUTDOWN_COMPLETE
      1152, // ER_ABORTING_CONNECTION
      1158, // ER_NET_READ_ERROR
      1159, // ER_NET_READ_INTERRUPTED
      1160, // ER_NET_ERROR_ON_WRITE
      1161, // ER_NET_WRITE_INTERRUPTED
      1184, // ER_NEW_ABORTING_CONNECTION
      1317, // ER_QUERY_INTERRUPTED: KILL QUERY
      1927, // ER_CONNECTION_KILLED (MariaDB)
      1969, // ER_STATEMENT_TIMEOUT (MariaDB)
      3024, // ER_QUERY_TIMEOUT
      3032, // ER_SERVER_OFFLINE_MODE
      3168, // ER_SERVER_ISNT_AVAILABLE
      3169, // ER_SESSION_WAS_KILLED
      4031, // ER_CLIENT_INTERACTION_TIMEOUT
    ],
  ],
  [
    'data',
    [
      1048, // ER_BAD_NULL_ERROR
      1062, // ER_DUP_ENTRY
      1153, // ER_NET_PACKET_TOO_LARGE
      1264, // ER_WARN_DATA_OUT_OF_RANGE
      1292, // ER_TRUNCATED_WRONG_VALUE
      1364, // ER_NO_DEFAULT_FOR_FIELD
      1366, // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
      1406, // ER_DATA_TOO_LONG
      1451, // ER_ROW_IS_REFERENCED_2
      1452, // ER_NO_REFERENCED_ROW_2
      1690, // ER_DATA_OUT_OF_RANGE
      3140, // ER_INVALID_JSON_TEXT
      3819, // ER_CHECK_CONSTRAINT_VIOLATED
      4025, // ER_CONSTRAINT_FAILED (MariaDB)
    ],
  ],
]
const classOfNumber = new Map(
  classes.flatMap(([name, numbers]) => numbers.map(number => [number, name] as const)),
)
const lostConnectionCodes = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTDOWN',
  'ENETDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
])
/** What is said without a code or number of its own: a connection that was lost before the statement could be sent; mysql2's pool. */
const unavailableMessages =
  /in closed state$|^Queue limit reached\.$|^Pool is closed\.$|disconnected before secure TLS connection/

/** Says what a caller can do about an error of mysql2, of Node's sockets or of this package; unknown ones are 'fatal'. */
export function classifyMysqlError(error: unknown): MysqlErrorClass {
  if (error instanceof MysqlConfigError) return error.category
  if (error instanceof RetriesExhaustedError) return classifyMysqlError(error.cause)
  if (!(error instanceof Error)) return 'fatal'
  const known = classOfNumber.get(serverNumber(error) ?? 0)
  if (known !== undefined) return known
  const lost = lostConnectionCodes.has(networkCode(error) ?? '')
  return lost || unavailableMessages.test(error.message) ? 'unavailable' : 'fatal'
}

/** Whether the same works later without anybody doing anything. */
export function isRetryableMysqlError(error: unknown): boolean {
  const found = classifyMysqlError(error)
  return found === 'unavailable' || found === 'retry transaction'
}

/** False when the connection is gone, or leads to a server that will not do: it must not go back into the pool. */
export function isConnectionUsableAfter(error: unknown): boolean {
  return (
    error instanceof Error &&
    serverNumber(error) !== null &&
    !('fatal' in error && error.fatal === true) &&
    classifyMysqlError(error) !== 'unavailable'
  )
}

/**
 * Whether an error in the place of an answer to COMMIT, or to a statement that commits itself, leaves it open if it is stored.
 * Known not to be: what was never sent, what a read-only server refused, what was rolled back.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof Error) || unavailableMessages.test(error.message)) return false
  const number = serverNumber(error)
  if (number !== null && failedCommitNumbers.has(number)) return true
  return classifyMysqlError(error) === 'unavailable' && !readOnlyNumbers.has(number ?? 0)
}

/**
 * The code of mysql2 or of Node's sockets. Whatever ends a TLS handshake, mysql2 writes one code over that of the network
 * (client_handshake.js), so that a lost connection looks like a refused certificate; the system's number stays.
 */
function networkCode(error: Error): string | null {
  const { code, errno }: NodeJS.ErrnoException = error
  if (code === 'HANDSHAKE_SSL_ERROR' && errno !== undefined && errno < 0) return getSystemErrorName(errno)
  return code ?? null
}

/** The server's error number; Node's own errors have negative ones, of the system. */
function serverNumber(error: Error): number | null {
  return 'errno' in error && typeof error.errno === 'number' && error.errno > 0 ? error.errno : null
}
