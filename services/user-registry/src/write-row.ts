/**
 * The lesson: the row alone (WRITE_MODE=table). Whoever wants to know what changed reads the table: cdc-poller, or Debezium from
 * the binary log.
 * Guarantees: what was answered is stored; changes of one user happen one after the other, each from the version that its caller saw.
 * Does not: tell why a row changed, or that it changed twice between two looks at the table.
 */
import { created } from './user-change.ts'
import { insertUser, lockUser, updateUser } from './users-table.ts'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { UserWriter } from './user-writer.ts'

export function rowWriter(mysql: Mysql): UserWriter {
  return {
    create: request =>
      mysql.inTransaction(async transaction => created(await insertUser(transaction, request))),

    change: (id, decide) =>
      mysql.inTransaction(async transaction => {
        const { user, now } = await lockUser(transaction, id)
        const decision = decide(user, now)
        if (decision.kind === 'changed') await updateUser(transaction, decision.state)
        return decision
      }),
  }
}
