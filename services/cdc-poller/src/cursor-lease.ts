/**
 * The cursor in its table, and the lease that says which of several pollers may move it. Time is the database's alone, and the epoch
 * counts the owners: what an earlier owner writes, however late, changes nothing.
 */
import { z } from 'zod'
import { beginning } from './position.ts'
import type { Position } from './position.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

/** Another poller has taken over. */
export class LeaseLostError extends Error {
  constructor(name: string, epoch: string) {
    super(`another poller has taken over the cursor ${name} from epoch ${epoch}`)
    this.name = 'LeaseLostError'
  }
}

export interface CursorLeaseOptions {
  readonly mysql: Mysql
  /** Which cursor: pollers of the same name share the work. */
  readonly name: string
  /** This process, for people who look into the table. */
  readonly owner: string
  readonly leaseMs: number
}

/** The right to work, for as long as nobody else took it. */
export interface Lease {
  readonly epoch: string
  /** Where the work begins. */
  readonly cursor: Position
  /** A third of it has passed since it was renewed. */
  readonly isDue: boolean
  /**
   * Stores the cursor and renews the lease.
   * @throws LeaseLostError and stores nothing when another poller has taken over
   */
  save(cursor: Position): Promise<void>
  /** Lets another poller begin at once. */
  release(): Promise<void>
}

/** No poller's lease is longer. */
export const longestLeaseMs = 600_000

const Key = z.array(z.string())

interface CursorRow extends Record<string, unknown> {
  free: unknown
  owner: string | null
  epoch: string
  updatedAt: string
  key: string
}

/** Nobody's, this process's own, run out, or running longer than anybody's may: then the clock has stepped back. */
const isFree = `(owner IS NULL OR owner = ? OR lease_until < NOW(6) OR lease_until > NOW(6) + INTERVAL ${longestLeaseMs * 1000} MICROSECOND)`

/** Takes the lease if it is free, else null. */
export async function takeLease(options: CursorLeaseOptions): Promise<Lease | null> {
  const { mysql, name, owner, leaseMs } = options
  const leaseMicros = leaseMs * 1000
  const find = async (): Promise<CursorRow | undefined> => {
    const [row] = await mysql.rows<CursorRow>(
      `SELECT ${isFree} AS free, owner, CAST(epoch AS CHAR) AS epoch, cursor_updated_at AS updatedAt, cursor_key AS \`key\`
         FROM poller_cursors WHERE name = ?`,
      [owner, name],
    )
    return row
  }
  const found = await find()
  if (found !== undefined && Number(found.free) !== 1) return null
  if (found === undefined) {
    await mysql.write(
      `INSERT INTO poller_cursors (name, cursor_updated_at, cursor_key) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE epoch = epoch`,
      [name, beginning.updatedAt, JSON.stringify(beginning.key)],
    )
  }
  const askedAtMs = performance.now()
  const { affectedRows } = await mysql.write(
    `UPDATE poller_cursors SET owner = ?, epoch = epoch + 1, lease_until = NOW(6) + INTERVAL ? MICROSECOND
       WHERE name = ? AND ${isFree}`,
    [owner, leaseMicros, name, owner],
  )
  if (affectedRows === 0) return null
  // Read after it was taken: the owner before may have moved it until then. The answer may come when the lease has run out, and tell the
  // epoch of who took over: to work under that would be to work beside it.
  const taken = await find()
  if (taken?.owner !== owner) return null
  const cursor: Position = { updatedAt: taken.updatedAt, key: Key.parse(JSON.parse(taken.key)) }
  return new HeldLease(options, taken.epoch, cursor, askedAtMs)
}

class HeldLease implements Lease {
  readonly epoch: string
  readonly cursor: Position
  readonly #options: CursorLeaseOptions
  #renewedAtMs: number

  constructor(options: CursorLeaseOptions, epoch: string, cursor: Position, renewedAtMs: number) {
    this.#options = options
    this.epoch = epoch
    this.cursor = cursor
    this.#renewedAtMs = renewedAtMs
  }

  get isDue(): boolean {
    return performance.now() - this.#renewedAtMs > this.#options.leaseMs / 3
  }

  async save({ updatedAt, key }: Position): Promise<void> {
    const { mysql, name, leaseMs } = this.#options
    const askedAtMs = performance.now()
    const { affectedRows } = await mysql.write(
      `UPDATE poller_cursors SET cursor_updated_at = ?, cursor_key = ?, lease_until = NOW(6) + INTERVAL ? MICROSECOND
         WHERE name = ? AND epoch = ?`,
      [updatedAt, JSON.stringify(key), leaseMs * 1000, name, this.epoch],
    )
    if (affectedRows === 0) throw new LeaseLostError(name, this.epoch)
    this.#renewedAtMs = askedAtMs
  }

  async release(): Promise<void> {
    const { mysql, name } = this.#options
    await mysql.write('UPDATE poller_cursors SET owner = NULL WHERE name = ? AND epoch = ?', [
      name,
      this.epoch,
    ])
  }
}
