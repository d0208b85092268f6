/**
 * Which rows are not in the topic as they are in the table, because Kafka does not take a record so large. Only that is noted, with the reason:
 * the state itself stays in the table that is followed. Once a state of the row is published that Kafka takes, or its tombstone, the note is gone.
 */
import { LeaseLostError } from './cursor-lease.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'

export interface ParkedRow {
  /** Of the record. */
  readonly key: string
  readonly version: string
  readonly reason: string
}

export interface ParkedRows {
  /** Nothing is noted, as nearly always. */
  readonly isEmpty: boolean
  /**
   * Once it returns the rows are noted, each once.
   * @throws LeaseLostError and notes nothing when another poller has taken over
   */
  park(rows: readonly ParkedRow[]): Promise<void>
  /**
   * What was noted of rows with these keys is over.
   * @throws LeaseLostError and changes nothing when another poller has taken over
   */
  unpark(keys: readonly string[]): Promise<void>
}

/** What is left of a reason in the table. */
const longestReasonChars = 2_000

/** Those of the cursor `name`, for the poller that has its lease. */
export async function openParkedRows(mysql: Mysql, name: string, epoch: string): Promise<ParkedRows> {
  const found = await mysql.rows<{ key: string }>(
    'SELECT record_key AS `key` FROM poller_parked WHERE name = ?',
    [name],
  )
  const parked = new Set(found.map(({ key }) => key))

  async function replace(keys: readonly string[], rows: readonly ParkedRow[]): Promise<void> {
    await mysql.inTransaction(async transaction => {
      // Locked until the end: nobody takes over in between and notes the opposite.
      const held = await transaction.rows(
        'SELECT epoch FROM poller_cursors WHERE name = ? AND epoch = ? FOR UPDATE',
        [name, epoch],
      )
      if (held.length === 0) throw new LeaseLostError(name, epoch)
      await transaction.write('DELETE FROM poller_parked WHERE name = ? AND record_key IN (?)', [name, keys])
      if (rows.length === 0) return
      await transaction.write('INSERT INTO poller_parked (name, record_key, version, reason) VALUES ?', [
        rows.map(({ key, version, reason }) => [name, key, version, reason.slice(0, longestReasonChars)]),
      ])
    })
  }

  return {
    get isEmpty() {
      return parked.size === 0
    },
    async park(rows) {
      const keys = rows.map(({ key }) => key)
      await replace(keys, rows)
      for (const key of keys) parked.add(key)
    },
    async unpark(keys) {
      const over = keys.filter(key => parked.has(key))
      if (over.length === 0) return
      await replace(over, [])
      for (const key of over) parked.delete(key)
    },
  }
}
