/**
 * Lesson: the changes and the position in one transaction, in the same database.
 * Guarantees: each batch is applied once or not at all, wherever a crash falls: there is no moment between the two steps. An owner that
 * froze and wakes changes nothing: it moves the position from where it left it, and there it is no more.
 * Does not: reach beyond this database. What the group knows is a copy, for tools that show the lag.
 */
import { OffsetMovedError, moveOffset, readOffset } from './consumer-offsets.ts'
import { writeChanges } from './users-replica.ts'
import type { DeliveryMode, DeliveryTools, OwnedPartition } from './delivery.ts'

export function effectivelyOnce({
  consumer,
  mysql,
  table,
  group,
  onGroupCommitFailed,
}: DeliveryTools): DeliveryMode {
  const tellGroup = ({ topic, partition, assignment }: OwnedPartition, offset: string) =>
    consumer.commit(topic, partition, offset, assignment)

  return {
    async findPosition(partition) {
      const offset = await readOffset(mysql, group, partition)
      // Who was overtaken may be somebody whose membership is over: the group knows.
      const told = await tellGroup(partition, offset)
      return told === 'no longer owned' ? { state: 'not owned' } : { state: 'at', offset }
    },

    async deliver({ partition, changes, from, to }) {
      try {
        const written = await mysql.inTransaction(async transaction => {
          await moveOffset(transaction, group, partition, { from, to })
          return writeChanges(transaction, table, changes)
        })
        tellGroup(partition, to).catch((error: unknown) => onGroupCommitFailed(partition, error))
        return { state: 'applied', written }
      } catch (error) {
        // By another owner, or by a COMMIT of this one whose answer was lost. Either way the offset itself says what is applied.
        if (error instanceof OffsetMovedError) return { state: 'overtaken' }
        throw error
      }
    },
  }
}
