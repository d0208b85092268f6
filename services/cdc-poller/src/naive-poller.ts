/**
 * The counter-example: the poller as the original drew it, `updated_at` newer than the newest one seen. For `make prove` only.
 * It loses every row that commits after a row with a later `updated_at` was read, and the rest of those with the same
 * `updated_at` where a page ends between them. Nothing in its log tells.
 */
import { updatedAtOf } from './source-table.ts'
import type { ChangesTools } from './cdc-poller.ts'
import type { Position } from './position.ts'
import type { Row } from '@kafka-pattern/mysql-config'

export interface NaiveTools extends Pick<
  ChangesTools,
  'description' | 'stopping' | 'publish' | 'save' | 'pause'
> {
  rowsNewerThan(updatedAt: string): Promise<Row[]>
}

export async function followNaively(cursor: Position, tools: NaiveTools): Promise<void> {
  let newest = cursor.updatedAt
  while (!tools.stopping.aborted) {
    const rows = await tools.rowsNewerThan(newest)
    await tools.publish(rows.map(row => ({ row, records: null })))
    const last = rows.at(-1)
    if (last !== undefined) newest = updatedAtOf(last, tools.description)
    await tools.save({ updatedAt: newest, key: [] })
    if (last === undefined) await tools.pause()
  }
}
