/**
 * The lesson: the row and its events in one transaction (WRITE_MODE=outbox). The table `outbox` is in the same database as the row, so
 * one COMMIT decides about both; outbox-relay, or Debezium, publishes them from there.
 * Guarantees: an event is in the outbox exactly if its change is in the table. The user's row is locked before the outbox is
 * written and until the COMMIT, so that of two events of one user the later has the higher `seq` and is never visible alone.
 * Does not: publish. Nor do gaps in `seq`, or the order of different users, mean anything.
 */
import { created } from './user-change.ts'
import { insertEvents } from './outbox-table.ts'
import { insertUser, lockUser, updateUser } from './users-table.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { UserWriter } from './user-writer.ts'

export function rowAndOutboxWriter(mysql: Mysql): UserWriter {
  return {
    create: (request, correlationId) =>
      mysql.inTransaction(async transaction => {
        const decision = created(await insertUser(transaction, request))
        await insertEvents(transaction, decision.events, correlationId)
        return decision
      }),

    change: (id, decide, correlationId) =>
      mysql.inTransaction(async transaction => {
        const { user, now } = await lockUser(transaction, id)
        const decision = decide(user, now)
        if (decision.kind === 'changed') {
          await updateUser(transaction, decision.state)
          await insertEvents(transaction, decision.events, correlationId)
        }
        return decision
      }),
  }
}
