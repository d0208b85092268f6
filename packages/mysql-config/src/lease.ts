/** A connection while it is somebody's: what can be done with it, and whether it may go back into the pool. */
import { Socket } from 'node:net'
import { isConnectionUsableAfter, isOutcomeUnknown, UnknownOutcomeError } from './errors.ts'
import type { PoolConnection, QueryOptions, QueryResult, ResultSetHeader, RowDataPacket } from 'mysql2'

/** DATETIME, BIGINT, DECIMAL and JSON as text, with nothing lost; smaller integers as numbers. */
export type Row = Record<string, unknown>

export type Written = {
  /** what `MysqlOptions.affectedRows` says */
  affectedRows: number
  /** the first AUTO_INCREMENT value that was taken; '0' = none */
  insertId: string
  info: string
}

export interface Queryable {
  /** Rows of a SELECT. Values are escaped on this side; `VALUES ?` takes an array of rows. */
  rows<R extends Row = Row>(sql: string, values?: readonly unknown[]): Promise<R[]>
  /**
   * Runs what changes something; outside a transaction it commits itself.
   * @throws UnknownOutcomeError when it commits itself and the connection was lost before the answer came
   */
  write(sql: string, values?: readonly unknown[]): Promise<Written>
}

/** How much of a SELECT is read. */
export type ReadLimits = {
  rows: number
  /** Of text and bytes in all rows; the row that passes it is the last. */
  bytes: number
}

/** Rows of a SELECT up to its limits. */
export type LimitedRows<R> = {
  rows: R[]
  /** Of text and bytes in them. */
  sizeBytes: number
  /** Fewer rows than were asked for, because the bytes were used up. There may be more. */
  cut: boolean
}

/** Pure. How many rows a next read takes so as to fill half of the bytes, if they are like these; `mostRows` at most. */
export function rowsOfHalf(
  { rows, sizeBytes }: Pick<LimitedRows<unknown>, 'rows' | 'sizeBytes'>,
  limitBytes: number,
  mostRows: number,
): number {
  if (sizeBytes === 0) return mostRows
  return Math.min(mostRows, Math.max(1, Math.floor((rows.length * limitBytes) / (2 * sizeBytes))))
}

/** Of a statement that was put together by hand an error shows the beginning only: the rest is values. */
const shownSqlChars = 200

/** A connection while it is somebody's. */
export class Lease {
  /** The same object whenever it is borrowed. */
  readonly connection: PoolConnection
  readonly #answerTimeoutMs: number
  #discarded = false
  #ended = false

  constructor(connection: PoolConnection, answerTimeoutMs: number) {
    this.connection = connection
    this.#answerTimeoutMs = answerTimeoutMs
  }

  /** @throws what the server or the network said, with the statement as `sql`, but without the values: they are users' data */
  run<R extends QueryResult>(sql: string, values: readonly unknown[] = []): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#requireNotEnded()
      // Not by mysql2's promises: for every statement they capture a stack, which costs more than the rest of the way.
      this.connection.query<R>(
        // mysql2 looks for placeholders through all of a statement, however long, even when there is nothing to put into them.
        { sql, ...(values.length > 0 && { values: [...values] }), timeout: this.#answerTimeoutMs },
        (error, result) => {
          if (error === null) resolve(result)
          else reject(this.#judge(error, sql))
        },
      )
    })
  }

  /** Each an object, by the names of the columns. */
  limitedRows(sql: string, values: readonly unknown[], limits: ReadLimits): Promise<LimitedRows<Row>> {
    return this.#limited({ sql, values: [...values] }, limits, isRow, rowSizeBytes)
  }

  /** Each an array, in the order of the SELECT. */
  rowArrays(sql: string, limits: ReadLimits): Promise<LimitedRows<unknown[]>> {
    return this.#limited({ sql, rowsAsArray: true }, limits, isRowArray, arraySizeBytes)
  }

  async #limited<R extends object>(
    options: QueryOptions,
    limits: ReadLimits,
    isWanted: (result: unknown) => result is R,
    sizeBytesOf: (row: R) => number,
  ): Promise<LimitedRows<R>> {
    this.#requireNotEnded()
    const sql = `${options.sql} LIMIT ${limits.rows}`
    const rows: R[] = []
    let leftBytes = limits.bytes
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    // A query without a callback hears nothing of a connection that is lost.
    this.connection.once('error', reject)
    const query = this.connection.query({ ...options, sql, timeout: this.#answerTimeoutMs })
    query.on('error', reject)
    query.on('end', () => resolve(false))
    query.on('result', (row: unknown) => {
      // After the limit it goes on until the connection is closed.
      if (!isWanted(row) || leftBytes <= 0) return
      rows.push(row)
      leftBytes -= sizeBytesOf(row)
      // After the last row that was asked for only the end comes, and to wait for it keeps the connection.
      if (leftBytes <= 0 && rows.length < limits.rows) resolve(true)
    })
    try {
      const cut = await promise
      if (cut) this.discard()
      return { rows, sizeBytes: limits.bytes - leftBytes, cut }
    } catch (error) {
      throw this.#judge(error, sql)
    } finally {
      this.connection.off('error', reject)
      // The timer of its timeout keeps a query that was cut, and a listener would keep the rows.
      query.removeAllListeners().on('error', ignore)
    }
  }

  queryable({ commitsItself }: { commitsItself: boolean }): Queryable {
    return {
      rows: <R extends Row>(sql: string, values?: readonly unknown[]) =>
        this.run<(R & RowDataPacket)[]>(sql, values),
      write: async (sql, values) => {
        try {
          const { affectedRows, insertId, info } = await this.run<ResultSetHeader>(sql, values)
          return { affectedRows, insertId: String(insertId), info }
        } catch (error) {
          throw commitsItself && isOutcomeUnknown(error) ? new UnknownOutcomeError(error) : error
        }
      },
    }
  }

  /** The server rolls back by itself what a connection leaves behind that goes. */
  async rollback(): Promise<void> {
    if (this.#discarded) return
    try {
      await this.run('ROLLBACK')
    } catch {
      // The caller gets the error that made this necessary.
      this.discard()
    }
  }

  discard(): void {
    this.#discarded = true
  }

  end(): void {
    this.#ended = true
    if (!this.#discarded) {
      this.connection.release()
      return
    }
    this.connection.destroy()
    // destroy() ends its own side only and waits for the other, which a frozen server never ends.
    this.#socket?.destroy()
  }

  /** Closes the connection at once: the statement that runs fails with `error`. */
  cut(error: Error): void {
    this.discard()
    this.#socket?.destroy(error)
  }

  get #socket(): Socket | undefined {
    return 'stream' in this.connection && this.connection.stream instanceof Socket
      ? this.connection.stream
      : undefined
  }

  #requireNotEnded(): void {
    if (this.#ended) throw new Error('the connection was used after it was given back')
  }

  #judge(error: unknown, sql: string): unknown {
    if (!isConnectionUsableAfter(error)) this.discard()
    if (error instanceof Error) Object.assign(error, { sql: sql.slice(0, shownSqlChars) })
    return error
  }
}

/** Everybody has had an answer. */
function ignore(): void {}

function isRow(result: unknown): result is Row {
  return typeof result === 'object' && result !== null
}

function isRowArray(result: unknown): result is unknown[] {
  return Array.isArray(result)
}

function rowSizeBytes(row: Row): number {
  let sizeBytes = 0
  // To make an array of the values of each row takes longer than all the rest.
  for (const column in row) sizeBytes += valueSizeBytes(row[column])
  return sizeBytes
}

function arraySizeBytes(row: readonly unknown[]): number {
  let sizeBytes = 0
  for (const value of row) sizeBytes += valueSizeBytes(value)
  return sizeBytes
}

function valueSizeBytes(value: unknown): number {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value.length : 0
}
