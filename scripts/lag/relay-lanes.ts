/** How far outbox-relay has published each lane of the outbox. Its position is in Kafka, its leases are in the database. */
import type { ConsumerGroup } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import { emptyCursor, type Cursor } from '../../services/outbox-relay/src/cursor.ts'
import { readCursor } from '../../services/outbox-relay/src/cursor-text.ts'
import { countOf } from '../../services/outbox-relay/src/seq-ranges.ts'

export type LaneLag = {
  lane: number
  /** null = nobody's */
  owner: string | null
  /** below 0: it has run out */
  leaseEndsInMs: number | null
  /** of the outbox, with holes below it; null: nothing published yet */
  publishedUpTo: number | null
  /** numbers below it whose rows may still come */
  holes: number
  /** rows of this lane, counted up to `countedUpTo` */
  unpublished: number
  oldestUnpublishedMs: number | null
}

export type RelayLag = {
  /** of all lanes; null: the outbox is empty */
  newestSeq: number | null
  /** rows that were put aside because Kafka does not take them */
  parked: number
  lanes: LaneLag[]
}

/** More rows are not counted: a look must cost little, however far a relay is behind. */
export const countedUpTo = 10_000

type LeaseRow = { lane: number; owner: string | null; endsInMicros: string | null }

/**
 * @param mysql a client of the user outbox_relay
 * @param relay the group that the relay commits as, and the topic that it commits on
 */
export async function readRelayLanes(
  mysql: Mysql,
  groups: readonly ConsumerGroup[],
  relay: { group: string; cursorTopic: string },
): Promise<RelayLag> {
  const leases = await mysql.rows<LeaseRow>(
    `SELECT lane, owner, TIMESTAMPDIFF(MICROSECOND, NOW(6), lease_until) AS endsInMicros
       FROM relay_leases ORDER BY lane`,
  )
  const [counts] = await mysql.rows<{ newest: string | null; parked: string | number }>(
    'SELECT (SELECT MAX(seq) FROM outbox) AS newest, (SELECT COUNT(*) FROM relay_parked) AS parked',
  )
  const committed = groups
    .find(({ groupId }) => groupId === relay.group)
    ?.committed.filter(({ topic }) => topic === relay.cursorTopic)
  const lanes: LaneLag[] = []
  for (const { lane, owner, endsInMicros } of leases) {
    const position = committed?.find(({ partition }) => partition === lane)
    const cursor = position === undefined ? emptyCursor : readCursor(position, leases.length)
    lanes.push({
      lane,
      owner,
      leaseEndsInMs: endsInMicros === null ? null : Number(endsInMicros) / 1_000,
      publishedUpTo: position === undefined ? null : cursor.high,
      holes: countOf(cursor.holes),
      ...(await readUnpublished(mysql, cursor, lane, leases.length)),
    })
  }
  return {
    newestSeq: counts?.newest == null ? null : Number(counts.newest),
    parked: Number(counts?.parked ?? 0),
    lanes,
  }
}

async function readUnpublished(
  mysql: Mysql,
  { high, holes }: Cursor,
  lane: number,
  lanes: number,
): Promise<Pick<LaneLag, 'unpublished' | 'oldestUnpublishedMs'>> {
  const inHoles = holes.map(({ from, to }) => `seq BETWEEN ${from} AND ${to} OR `).join('')
  // Both servers compute the same CRC-32 that laneOf does.
  const [found] = await mysql.rows<{ rows: string | number; micros: string | null }>(
    `SELECT COUNT(*) AS \`rows\`, TIMESTAMPDIFF(MICROSECOND, MIN(created_at), NOW(6)) AS micros
       FROM (SELECT created_at FROM outbox WHERE (${inHoles}seq > ${high}) AND CRC32(aggregateid) % ${lanes} = ${lane}
             ORDER BY seq LIMIT ${countedUpTo}) AS waiting`,
  )
  return {
    unpublished: Number(found?.rows ?? 0),
    oldestUnpublishedMs: found?.micros == null ? null : Math.max(0, Number(found.micros) / 1_000),
  }
}
