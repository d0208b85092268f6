/**
 * The table consumer_offsets: how far a group has applied each partition, beside what it has applied.
 */
import type { TopicPartition } from '@kafka-pattern/kafka-config'
import type { Mysql, Queryable } from '@kafka-pattern/mysql-config'

/** Somebody else has moved the offset since it was read: what follows on the old one must not be applied. */
export class OffsetMovedError extends Error {
  override readonly name = 'OffsetMovedError'

  constructor({ topic, partition }: TopicPartition, expected: string) {
    super(`the offset of ${topic}/${partition} is not ${expected} any more`)
  }
}

/** The next offset to apply. A partition that the group has never applied begins at 0, that is, with the oldest record there is. */
export async function readOffset(
  mysql: Mysql,
  group: string,
  { topic, partition }: TopicPartition,
): Promise<string> {
  const rows = await mysql.rows<{ next_offset: string | number }>(
    'SELECT next_offset FROM consumer_offsets WHERE group_id = ? AND topic = ? AND partition_id = ?',
    [group, topic, partition],
  )
  const [found] = rows
  if (found !== undefined) return String(found.next_offset)
  // So that there is a row to lock and to compare with, also for the first batch.
  await mysql.write(
    'INSERT INTO consumer_offsets (group_id, topic, partition_id, next_offset) VALUES (?, ?, ?, 0) ON DUPLICATE KEY UPDATE next_offset = next_offset',
    [group, topic, partition],
  )
  return '0'
}

/**
 * Moves the offset from where it was read to where it will be when the transaction is committed. The row is locked from here on, so of two
 * owners one waits for the other and then finds it moved.
 * @throws OffsetMovedError
 */
export async function moveOffset(
  transaction: Queryable,
  group: string,
  { topic, partition }: TopicPartition,
  { from, to }: { from: string; to: string },
): Promise<void> {
  const { affectedRows } = await transaction.write(
    'UPDATE consumer_offsets SET next_offset = ? WHERE group_id = ? AND topic = ? AND partition_id = ? AND next_offset = ?',
    [to, group, topic, partition, from],
  )
  if (affectedRows !== 1) throw new OffsetMovedError({ topic, partition }, from)
}
