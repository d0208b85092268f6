/** How far cdc-poller has read each table that it follows. */
import type { Mysql } from '@kafka-pattern/mysql-config'

export type CursorLag = {
  /** the topic that the cursor belongs to */
  topic: string
  /** null = nobody's */
  owner: string | null
  /** below 0: it has run out */
  leaseEndsInMs: number | null
  /** everything before it is published; UTC, with microseconds */
  cursor: string
  /** about `OVERLAP_MS` and a bit when nothing changes, because the cursor is then saved seldom */
  behindNowMs: number
  /** behind the last change of a row; null: the table is empty, or not known here */
  behindNewestMs: number | null
  /** rows that are too large for Kafka, and so not in the topic as they are in the table */
  parked: number
}

/** The table behind a topic of changes, and its column that tells when a row changed. */
export type FollowedTable = { topic: string; table: string; updatedAtColumn: string }

type CursorRow = {
  topic: string
  owner: string | null
  endsInMicros: string | null
  cursor: string
  behindMicros: string
  parked: string | number
}

/** @param mysql a client of the user cdc_poller */
export async function readPollerCursors(
  mysql: Mysql,
  tables: readonly FollowedTable[],
): Promise<CursorLag[]> {
  const rows = await mysql.rows<CursorRow>(
    `SELECT name AS topic, owner, TIMESTAMPDIFF(MICROSECOND, NOW(6), lease_until) AS endsInMicros,
            cursor_updated_at AS \`cursor\`, TIMESTAMPDIFF(MICROSECOND, cursor_updated_at, NOW(6)) AS behindMicros,
            (SELECT COUNT(*) FROM poller_parked WHERE poller_parked.name = poller_cursors.name) AS parked
       FROM poller_cursors ORDER BY name`,
  )
  const cursors: CursorLag[] = []
  for (const { topic, owner, endsInMicros, cursor, behindMicros, parked } of rows) {
    const followed = tables.find(table => table.topic === topic)
    cursors.push({
      topic,
      owner,
      leaseEndsInMs: endsInMicros === null ? null : Number(endsInMicros) / 1_000,
      cursor,
      behindNowMs: Number(behindMicros) / 1_000,
      behindNewestMs: followed === undefined ? null : await readBehindNewest(mysql, cursor, followed),
      parked: Number(parked),
    })
  }
  return cursors
}

async function readBehindNewest(
  mysql: Mysql,
  cursor: string,
  { table, updatedAtColumn }: FollowedTable,
): Promise<number | null> {
  // An index of the column, which the poller needs anyway, answers this at once.
  const [newest] = await mysql.rows<{ micros: string | null }>(
    `SELECT TIMESTAMPDIFF(MICROSECOND, ?, MAX(\`${updatedAtColumn}\`)) AS micros FROM \`${table}\``,
    [cursor],
  )
  return newest?.micros == null ? null : Math.max(0, Number(newest.micros) / 1_000)
}
