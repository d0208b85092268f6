/** The table `outbox`: append-only, its columns are those of Debezium's outbox event router. */
import { randomUUID } from 'node:crypto'
import type { Queryable } from '@kafka-pattern/mysql-config'
import type { UserEvent } from './user-change.ts'

/** Appends the events in their order, in one statement. */
export async function insertEvents(
  transaction: Queryable,
  events: readonly UserEvent[],
  correlationId: string,
): Promise<void> {
  await transaction.write(
    'INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES ?',
    [
      events.map(({ type, state }) => [
        randomUUID(),
        'user',
        state.id,
        type,
        JSON.stringify(state),
        correlationId,
      ]),
    ],
  )
}
