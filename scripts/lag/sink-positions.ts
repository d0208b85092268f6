/** Where the sinks stand: with DELIVERY=effectively-once the position that counts is beside the rows, and the group's is a copy. */
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { GroupPosition } from './consumer-lag.ts'

/** @param mysql a client of the user mysql_sink_consumer */
export async function readSinkPositions(mysql: Mysql): Promise<GroupPosition[]> {
  const rows = await mysql.rows<{ group: string; topic: string; partition: number; offset: string | number }>(
    `SELECT group_id AS \`group\`, topic, partition_id AS \`partition\`, next_offset AS \`offset\`
       FROM consumer_offsets ORDER BY group_id, topic, partition_id`,
  )
  return rows.map(row => ({ ...row, offset: String(row.offset) }))
}
