/**
 * Lesson: first the changes, then the position.
 * Guarantees: every record is applied.
 * Does not: apply it once. Who dies between the two steps has applied a batch that the group knows nothing of, and it is applied again.
 * Here the repetition changes nothing, because the replica refuses versions that it knows (`stale` in the log); a counter or a
 * payment would be wrong. An owner that froze and wakes also still writes: what it writes late is refused by version only.
 */
import { writeChanges } from './users-replica.ts'
import type { DeliveryMode, DeliveryTools } from './delivery.ts'

export function atLeastOnce({ consumer, mysql, table }: DeliveryTools): DeliveryMode {
  return {
    findPosition: async () => ({ state: "the group's" }),

    async deliver({ partition, changes, to }) {
      const written = await mysql.inTransaction(transaction => writeChanges(transaction, table, changes))
      const committed = await consumer.commit(partition.topic, partition.partition, to, partition.assignment)
      return committed === 'committed' ? { state: 'applied', written } : { state: 'not owned' }
    },
  }
}
