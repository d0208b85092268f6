/**
 * The counter-example: the poller as the original drew it, `updated_at` newer than the newest one seen. For `make prove` only.
 * It loses every row that commits after a row with a later `updated_at` was read, and the rest of those with the same
 * `updated_at` where a page ends between them. Nothing in its log tells.
 */
import { recordKeyOf } from './row-records.ts'
import { updatedAtOf, versionOf } from './source-table.ts'
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
  const { description, stopping } = tools
  let newest = cursor.updatedAt
  while (!stopping.aborted) {
    const rows = await tools.rowsNewerThan(newest)
    await tools.publish(
      rows.map(row => ({
        row,
        key: recordKeyOf(row, description),
        version: versionOf(row, description),
        records: null,
      })),
    )
    const last = rows.at(-1)
    if (last !== undefined) newest = updatedAtOf(last, description)
    await tools.save({ updatedAt: newest, key: [] })
    if (last === undefined) await tools.pause()
  }
}
