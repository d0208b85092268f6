/** Tells the coordinator which partitions and which group a transaction comprises: needed before anything is stored in it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Broker, TransactionalProducerIdentity } from 'kafkajs'
import { hasErrorType } from './error-causes.ts'
import type { TransactionBatch } from './transaction-requests.ts'

/** The transaction of a producer epoch, as its coordinator knows it. */
export interface AnnouncedTransaction {
  readonly identity: TransactionalProducerIdentity
  readonly coordinator: Broker
  /** What it comprises already. */
  readonly announced: Set<string>
}

/** As much of a batch as its announcement needs. */
export type BatchPlace = Pick<TransactionBatch, 'topic' | 'partition' | 'indexes'>

/** The topic takes none of these records. */
export class TopicRefused extends Error {
  readonly topic: string
  readonly indexes: readonly number[]
  readonly type: string
  constructor(topic: string, indexes: readonly number[], cause: unknown) {
    super(topicIllegal, { cause })
    this.topic = topic
    this.indexes = indexes
    this.type = topicIllegal
  }
}

/** The right to write to one of these topics is missing. */
export class TopicsForbidden extends Error {
  readonly topics: readonly string[]
  constructor(topics: readonly string[], cause: unknown) {
    const names = topics.length === 1 ? topics[0] : `one of ${topics.join(', ')}`
    super(`this user may not write to ${names}: grant WRITE and DESCRIBE (${topicForbidden})`, { cause })
    this.topics = topics
  }
}

/** The broker still writes the markers of the transaction before. */
const previousTransactionPauseMs = 1
export const previousTransactionTimeoutMs = 10_000
const topicIllegal = 'INVALID_TOPIC_EXCEPTION'
export const topicForbidden = 'TOPIC_AUTHORIZATION_FAILED'
/** Among the names of partitions, which all have a slash. */
const positionMark = 'position'

/**
 * Makes the partitions and the group part of the transaction, as far as they are not yet. All requests have ended when it settles; it
 * rejects with the first failure.
 * @throws TopicRefused, TopicsForbidden
 */
export async function announce(
  transaction: AnnouncedTransaction,
  groupId: string,
  batches: readonly BatchPlace[],
): Promise<void> {
  const { coordinator, identity, announced } = transaction
  const missing = partitionsByTopic(batches.filter(batch => !announced.has(nameOf(batch))))
  const requests = missing.map(async ({ topic, partitions, indexes }) => {
    try {
      await whilePreviousEnds(previousTransactionTimeoutMs, () =>
        coordinator.addPartitionsToTxn({ ...identity, topics: [{ topic, partitions }] }),
      )
    } catch (error) {
      if (hasErrorType(error, topicForbidden)) throw new TopicsForbidden([topic], error)
      throw hasErrorType(error, topicIllegal) ? new TopicRefused(topic, indexes, error) : error
    }
    for (const partition of partitions) announced.add(nameOf({ topic, partition }))
  })
  if (!announced.has(positionMark)) requests.push(announceGroup(transaction, groupId))
  await allEnded(requests)
}

async function announceGroup(
  { coordinator, identity, announced }: AnnouncedTransaction,
  groupId: string,
): Promise<void> {
  await whilePreviousEnds(previousTransactionTimeoutMs, () =>
    coordinator.addOffsetsToTxn({ ...identity, groupId }),
  )
  announced.add(positionMark)
}

/** The coordinator takes a transaction up only when the markers of the id's last one are written: a matter of milliseconds. */
export async function whilePreviousEnds<T>(limitMs: number, request: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + limitMs
  for (;;) {
    try {
      return await request()
    } catch (error) {
      if (!hasErrorType(error, 'CONCURRENT_TRANSACTIONS') || performance.now() > untilMs) throw error
      await delay(previousTransactionPauseMs)
    }
  }
}

/** All have ended when it returns or throws, so that nothing of a failed transaction is still on its way by ourselves. */
export async function allEnded(
  requests: readonly Promise<unknown>[],
  choose: (failures: readonly unknown[]) => unknown = failures => failures[0],
): Promise<void> {
  const failures: unknown[] = []
  for (const outcome of await Promise.allSettled(requests)) {
    if (outcome.status === 'rejected') failures.push(outcome.reason)
  }
  if (failures.length > 0) throw choose(failures)
}

/** Unique among partitions: names of topics have no slash. */
export function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`
}

function partitionsByTopic(
  batches: readonly BatchPlace[],
): { topic: string; partitions: number[]; indexes: number[] }[] {
  return Array.from(
    Map.groupBy(batches, ({ topic }) => topic),
    ([topic, ofTopic]) => ({
      topic,
      partitions: [...new Set(ofTopic.map(({ partition }) => partition))],
      indexes: ofTopic.flatMap(({ indexes }) => indexes),
    }),
  )
}
