/**
 * Lesson: first the position, then the changes.
 * Guarantees: no record is applied twice, whatever happens.
 * Does not: apply every record. Who dies between the two steps has told the group that the batch is done, and nobody does it: it is lost
 * without a trace. For what is worthless when it is late, such as a temperature; never for a replica.
 */
import { UnknownOutcomeError } from '@kafka-pattern/mysql-config'
import { writeChanges, type Written } from './users-replica.ts'
import type { DeliveryMode, DeliveryTools } from './delivery.ts'

export function atMostOnce({ consumer, mysql, table }: DeliveryTools): DeliveryMode {
  return {
    findPosition: async () => ({ state: "the group's" }),

    async deliver({ partition, changes, to }) {
      const committed = await consumer.commit(partition.topic, partition.partition, to, partition.assignment)
      if (committed === 'no longer owned') return { state: 'not owned' }
      try {
        const written = await mysql.inTransaction(transaction => writeChanges(transaction, table, changes))
        return { state: 'applied', written }
      } catch (error) {
        if (!(error instanceof UnknownOutcomeError)) throw error
        // Perhaps they are there: a second time would be once too often.
        return { state: 'applied', written: unknown }
      }
    },
  }
}

/** What nobody knows is counted as not written. */
const unknown: Written = { upserted: 0, deleted: 0, buried: 0, stale: 0 }
