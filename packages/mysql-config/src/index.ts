export {
  classifyMysqlError,
  isRetryableMysqlError,
  MysqlConfigError,
  SchemaError,
  UnknownOutcomeError,
} from './errors.ts'
export type { MysqlErrorClass } from './errors.ts'
export { rowsOfHalf } from './lease.ts'
export type { LimitedRows, Queryable, ReadLimits, Row, Written } from './lease.ts'
export { createMysql, quoteText, sqlText } from './mysql.ts'
export type { Mysql, MysqlOptions } from './mysql.ts'
export { requireGrants, requireSchema } from './require-schema.ts'
export { mysqlSettings } from './settings.ts'
export type { MysqlSettings } from './settings.ts'
export { datetimeFromIso, isoFromDatetime } from './timestamps.ts'
export { waitForMysql, watchMysql } from './wait-for-mysql.ts'
export type { MysqlWatch } from './wait-for-mysql.ts'
