/** The sink's table, watched while it fills and compared with its source in the end. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Mysql } from '@kafka-pattern/mysql-config'
import { compareRows, type UserRow } from './compare-rows.ts'

// Part of what is measured as "in the replica after": short against what is shown.
const lookEveryMs = 5

/** Tells which version of each of these users the table has, again and again until the signal. */
export async function watchReplica(
  mysql: Mysql,
  table: string,
  ids: () => string[],
  onRow: (id: string, version: number, atMs: number) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const wanted = ids()
    if (wanted.length > 0) {
      const rows = await mysql.rows<{ id: string; version: string }>(
        `SELECT id, CAST(version AS CHAR) AS version FROM ${table} WHERE id IN (?)`,
        [wanted],
      )
      const at = performance.now()
      for (const { id, version } of rows) onRow(id, Number(version), at)
    }
    await delay(lookEveryMs)
  }
}

/** Where the two tables differ in these users. */
export async function compareTables(
  source: Mysql,
  replica: Mysql,
  table: string,
  ids: string[],
): Promise<{ rows: number; differences: string[] }> {
  const [rows, copies] = await Promise.all([
    source.rows<UserRow>(rowsOf('users'), [ids]),
    replica.rows<UserRow>(rowsOf(table), [ids]),
  ])
  return { rows: rows.length, differences: compareRows(rows, copies) }
}

function rowsOf(table: string): string {
  return `SELECT id, name, level, version, created_at, updated_at, deleted_at FROM ${table} WHERE id IN (?)`
}
