/**
 * Who has which lane, in a table: a lease holds for as long as its holder renews it, by the clock of the database alone.
 */
import { exitCodes } from '@kafka-pattern/service-runtime'
import { longestLeaseMs } from './config.ts'
import { movesOf } from './lane-shares.ts'
import type { LaneMoves } from './lane-shares.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

export interface LaneLeasesOptions {
  readonly mysql: Mysql
  readonly owner: string
  readonly leaseMs: number
}

export interface LeaseRound {
  /** Held by this relay, renewed just now. */
  readonly held: readonly number[]
  readonly moves: LaneMoves
}

/** What Kafka has of a lane; null: nothing yet, or nobody knows. */
export interface LaneMark {
  readonly number: number
  readonly publishedUpTo: number | null
}

/** The table is made for another number of lanes. Its message is for the person who starts the service. */
export class LaneCountError extends Error {
  readonly exitCode = exitCodes.badSettings
  constructor(found: number, wanted: number) {
    super(
      `RELAY_LANES is ${wanted}, but the table relay_leases has ${found}: rows would change their lane in the middle of being published; set RELAY_LANES=${found}, or drain and reset the relay as its README says`,
    )
    this.name = 'LaneCountError'
  }
}

/** @throws LaneCountError */
export async function requireLanes(mysql: Mysql, lanes: number): Promise<void> {
  const found = await mysql.inTransaction(async transaction => {
    // Two relays that start at once with different numbers: one of them waits here, or begins anew after a deadlock.
    const rows = await transaction.rows('SELECT lane FROM relay_leases FOR UPDATE')
    if (rows.length > 0) return rows.length
    await transaction.write('INSERT INTO relay_leases (lane) VALUES ?', [
      Array.from({ length: lanes }, (_, lane) => [lane]),
    ])
    return lanes
  })
  if (found !== lanes) throw new LaneCountError(found, lanes)
}

/** The lane is this owner's, as far as the table knows. */
export async function holdsLane(
  mysql: Mysql,
  { lane, owner }: { lane: number; owner: string },
): Promise<boolean> {
  const rows = await mysql.rows('SELECT lane FROM relay_leases WHERE lane = ? AND owner = ?', [lane, owner])
  return rows.length > 0
}

/** What the lanes' owners noted, null where nobody has. */
export async function notedMarks(mysql: Mysql): Promise<(number | null)[]> {
  const rows = await mysql.rows<{ mark: string | null }>(
    'SELECT published_up_to AS mark FROM relay_leases ORDER BY lane',
  )
  return rows.map(({ mark }) => (mark === null ? null : Number(mark)))
}

/** The time is over; or it lies farther ahead than any relay's lease reaches: then the clock has stepped back. */
function isOver(until: 'lease_until' | 'alive_until'): string {
  return `(${until} < NOW(6) OR ${until} > NOW(6) + INTERVAL ${longestLeaseMs * 1_000} MICROSECOND)`
}

export class LaneLeases {
  readonly #options: LaneLeasesOptions
  readonly #noted = new Map<number, number>()

  constructor(options: LaneLeasesOptions) {
    this.#options = options
  }

  /** Says that this relay is alive, renews its leases, and finds what should move. */
  async renew(): Promise<LeaseRound> {
    const { mysql, owner, leaseMs } = this.#options
    const leaseMicros = leaseMs * 1_000
    await mysql.write(
      `INSERT INTO relay_members (relay, alive_until) VALUES (?, NOW(6) + INTERVAL ? MICROSECOND)
       ON DUPLICATE KEY UPDATE alive_until = VALUES(alive_until)`,
      [owner, leaseMicros],
    )
    await mysql.write(
      'UPDATE relay_leases SET lease_until = NOW(6) + INTERVAL ? MICROSECOND WHERE owner = ?',
      [leaseMicros, owner],
    )
    // A renewal may take longer than the lease: who asks is alive even so, whatever the others have made of it meanwhile.
    await mysql.write(`DELETE FROM relay_members WHERE ${isOver('alive_until')} AND relay <> ?`, [owner])
    const others = await mysql.rows<{ relay: string }>('SELECT relay FROM relay_members WHERE relay <> ?', [
      owner,
    ])
    // In the same way one's own lane is one's own until somebody else takes it.
    const lanes = await mysql.rows<{ lane: number; holder: string | null }>(
      `SELECT lane, IF(owner = ? OR NOT ${isOver('lease_until')}, owner, NULL) AS holder FROM relay_leases ORDER BY lane`,
      [owner],
    )
    return {
      held: lanes.filter(({ holder }) => holder === owner).map(({ lane }) => lane),
      moves: movesOf(owner, lanes, [owner, ...others.map(({ relay }) => relay)]),
    }
  }

  /**
   * Those of the lanes that are this owner's then: of others somebody else was faster. With one statement, however many there are, or the leases
   * would be over before the last of hundreds is claimed.
   */
  async claim(lanes: readonly number[]): Promise<readonly number[]> {
    if (lanes.length === 0) return []
    const { mysql, owner, leaseMs } = this.#options
    await mysql.write(
      `UPDATE relay_leases SET owner = ?, lease_until = NOW(6) + INTERVAL ? MICROSECOND
       WHERE lane IN (?) AND (owner IS NULL OR owner = ? OR ${isOver('lease_until')})`,
      [owner, leaseMs * 1_000, lanes, owner],
    )
    const claimed = await mysql.rows<{ lane: number }>(
      'SELECT lane FROM relay_leases WHERE lane IN (?) AND owner = ?',
      [lanes, owner],
    )
    return claimed.map(({ lane }) => lane)
  }

  /**
   * How far the lanes are published, roughly. The position that counts is Kafka's; this one tells, should Kafka have none, whether
   * it has forgotten it.
   */
  async note(marks: readonly LaneMark[]): Promise<void> {
    const news = marks.flatMap(({ number, publishedUpTo }): [number, number][] =>
      publishedUpTo === null || publishedUpTo === this.#noted.get(number) ? [] : [[number, publishedUpTo]],
    )
    if (news.length === 0) return
    const { mysql, owner } = this.#options
    await mysql.write(
      `UPDATE relay_leases SET published_up_to = CASE lane ${'WHEN ? THEN ? '.repeat(news.length)}END
       WHERE lane IN (?) AND owner = ?`,
      [...news.flat(), news.map(([lane]) => lane), owner],
    )
    for (const [lane, publishedUpTo] of news) this.#noted.set(lane, publishedUpTo)
  }

  async release(lane: number): Promise<void> {
    const { mysql, owner } = this.#options
    await mysql.write(
      'UPDATE relay_leases SET owner = NULL, lease_until = NULL WHERE lane = ? AND owner = ?',
      [lane, owner],
    )
  }

  /** The others need not wait for this one's end. */
  async leave(): Promise<void> {
    const { mysql, owner } = this.#options
    await mysql.write('DELETE FROM relay_members WHERE relay = ?', [owner])
  }
}
