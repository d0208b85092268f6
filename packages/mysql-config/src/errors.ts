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

/** The connection was lost while COMMIT was on its way: the transaction may be there or not. */
export class UnknownOutcomeError extends MysqlConfigError {
  constructor(cause: unknown) {
    super(
      'the connection was lost during COMMIT: the outcome of the transaction is unknown',
      'unavailable',
      cause,
    )
  }
}

/** The database is not the one that the service was written for. One sentence with the remedy. */
export class SchemaError extends MysqlConfigError {
  constructor(message: string, cause?: unknown) {
    super(message, 'fatal', cause)
  }
}

// Server error numbers: https://dev.mysql.com/doc/mysql-errors/9.7/en/server-error-reference.html
const retryTransaction = new Set([1213, 1205, 3572, 1020, 3101, 1613, 1614])
const unavailableNumbers = new Set([
  1040, 1203, 1053, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1290, 1792, 1836, 1927, 3168, 3169, 4031,
])
const unavailableCodes = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const dataNumbers = new Set([1048, 1062, 1153, 1264, 1292, 1364, 1366, 1406, 1452, 3140, 3819, 4025])

/** Says what a caller can do about an error of mysql2, of Node's sockets or of this package; unknown ones are 'fatal'. */
export function classifyMysqlError(error: unknown): MysqlErrorClass {
  if (error instanceof MysqlConfigError) return error.category
  if (!(error instanceof Error)) return 'fatal'
  const { errno, code, message } = error as { errno?: unknown; code?: unknown; message: string }
  if (typeof errno === 'number') {
    if (retryTransaction.has(errno)) return 'retry transaction'
    if (unavailableNumbers.has(errno)) return 'unavailable'
    if (dataNumbers.has(errno)) return 'data'
  }
  if (typeof code === 'string' && unavailableCodes.has(code)) return 'unavailable'
  if (
    message === 'Queue limit reached.' ||
    message === 'Pool is closed.' ||
    /closed state|Connection lost/.test(message)
  )
    return 'unavailable'
  return 'fatal'
}
