/** The cursors of all lanes as Kafka has them, and whether they belong to this table. */
import { ensureTopics, withAdmin } from '@kafka-pattern/kafka-config'
import { retry, untilItWorks } from '@kafka-pattern/retry'
import { emptyCursor } from './cursor.ts'
import { readCursor } from './cursor-text.ts'
import { MismatchError, newestSeq, requireEnd } from './outbox-end.ts'
import { isOutage } from './outage.ts'
import type { Cursor } from './cursor.ts'
import type { Kafka, TopicSpec } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'

export interface CommittedCursorsOptions {
  readonly kafka: Kafka
  readonly logger: Logger
  readonly lanes: number
  readonly groupId: string
  readonly topic: string
}

export class CommittedCursors {
  readonly #options: CommittedCursorsOptions

  constructor(options: CommittedCursorsOptions) {
    this.#options = options
  }

  /**
   * One for each lane; it may have moved on meanwhile, never back. Waits while brokers are away.
   * @throws ForeignCursorError
   * @throws AbortError
   */
  async read(signal: AbortSignal): Promise<readonly Cursor[]> {
    const { kafka, logger, lanes, groupId, topic } = this.#options
    const [found] = await retry(
      () =>
        withAdmin(kafka, async admin => {
          // Without metadata it knows no broker that it could ask for the group's coordinator.
          await admin.fetchTopicMetadata({ topics: [topic] })
          return admin.fetchOffsets({ groupId, topics: [topic] })
        }),
      {
        policy: untilItWorks,
        signal,
        isRetryable: isOutage,
        onRetry: ({ attempt, error }) =>
          // kafkajs says the same of a group that it may not read and of a coordinator that is still to be elected.
          logger[attempt === 2 ? 'warn' : 'debug'](
            { attempt, groupId, err: error },
            'waiting for the positions; has this user the right to read the group?',
          ),
      },
    )
    const positions = new Map(found?.partitions.map(each => [each.partition, each]))
    return Array.from({ length: lanes }, (_, lane) => {
      const position = positions.get(lane)
      if (position === undefined || position.offset === '-1') return emptyCursor
      return readCursor({ offset: position.offset, metadata: position.metadata ?? '' }, lanes)
    })
  }
}

/** Creates the topic of the positions. @throws MismatchError when it was made for another number of lanes */
export async function requireCursorTopic(
  kafka: Kafka,
  spec: TopicSpec,
  during: { logger: Logger; signal: AbortSignal },
): Promise<void> {
  const [report] = await ensureTopics(kafka, [spec], during)
  const partitions = report?.differences.find(({ what }) => what === 'partitions')
  if (partitions === undefined) return
  throw new MismatchError(
    `${spec.topic} has ${partitions.found} partitions, but RELAY_LANES is ${partitions.wanted}: rows would change their lane in the middle of being published; set RELAY_LANES=${partitions.found}, or drain and reset the relay as its README says`,
  )
}

/** @throws MismatchError when rows were published that the table does not have yet: it would stand still until it has */
export async function requireSameTable(mysql: Mysql, cursors: readonly Cursor[]): Promise<void> {
  requireEnd(await newestSeq(mysql), Math.max(...cursors.map(({ high }) => high)))
}

/**
 * @param marks noted before the positions were read: who publishes beside this one commits first and notes then
 * @param lanes those that have no position in Kafka
 * @throws MismatchError when one of them was published: Kafka has forgotten it, and everything would be published again
 */
export function requireMemory(marks: readonly (number | null)[], lanes: readonly number[]): void {
  const lane = lanes.find(each => (marks[each] ?? 0) > 0)
  if (lane === undefined) return
  throw new MismatchError(
    `lane ${lane} was published up to about ${marks[lane]}, but Kafka has no position for it any more: everything that the outbox still holds would be published again; to begin there set published_up_to in relay_leases to NULL and START_AFTER_SEQ=${marks[lane]}, or 0 for everything`,
  )
}
