/**
 * The counter-example: the row, then its events to Kafka (WRITE_MODE=dual). It exists to be seen losing.
 * Guarantees: nothing about the events. When the process dies after the COMMIT, or Kafka is away, the change is stored and no event
 * will ever say so; whoever tries again finds the version gone. Two instances may also send in another order than they committed.
 * Sending first loses the other way round: an event of a change that was rolled back. Waiting for both does not help either: there is
 * no moment at which two systems commit.
 */
import { randomUUID } from 'node:crypto'
import { HEADERS, outboxTopic } from '@kafka-pattern/events'
import { rowWriter } from './write-row.ts'
import type { GatheringProducer } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { UserEvent } from './user-change.ts'
import type { UserWriter } from './user-writer.ts'

/** The change is stored, its event is not: nothing puts that right. */
export class EventLostError extends Error {
  constructor(cause: unknown) {
    super('the change is stored, but Kafka did not take its event: nobody will hear of it', { cause })
    this.name = 'EventLostError'
  }
}

export function dualWriter(mysql: Mysql, producer: GatheringProducer): UserWriter {
  const rows = rowWriter(mysql)
  return {
    create: async (request, correlationId) => {
      const decision = await rows.create(request, correlationId)
      await send(decision.events, correlationId)
      return decision
    },

    change: async (id, decide, correlationId) => {
      const decision = await rows.change(id, decide, correlationId)
      if (decision.kind === 'changed') await send(decision.events, correlationId)
      return decision
    },
  }

  async function send(events: readonly UserEvent[], correlationId: string): Promise<void> {
    try {
      for (const { type, state } of events) {
        const value = JSON.stringify(state)
        const headers = {
          [HEADERS.id]: randomUUID(),
          [HEADERS.eventType]: type,
          [HEADERS.correlationId]: correlationId,
        }
        await producer.send({ topic: outboxTopic('user'), key: state.id, value, headers })
      }
    } catch (error) {
      throw new EventLostError(error)
    }
  }
}
