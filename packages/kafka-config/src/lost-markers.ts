/**
 * Repairs what a broker's restart can leave half committed.
 *
 * A transaction is committed once its coordinator has noted that; the markers that make its records visible are written afterwards. A
 * coordinator of Kafka 4.3.1 that finds one of the partitions without a leader at that moment takes it for deleted and completes
 * the transaction without a marker there (KAFKA-20734). The records then stay invisible and hold back all that comes after them, or are
 * committed or aborted by whatever the same transactional id does next; a position is not in force. One broker alone that was killed
 * often does that when it starts again and loads what was under way.
 *
 * So whoever goes on after a failure ends the last transaction of each id once more: the coordinator still knows how it ended, and
 * a transaction without records in the same partitions, with the same end, writes the markers again. Where none was missing they end
 * nothing. It needs what only the producer knows that began the transaction: if that one is gone before it opens again, nobody
 * repairs. Nor does anybody notice when a partition loses its leader and nothing else: the next transaction of the id may begin then,
 * and ends the forgotten one as it ends itself. That takes partitions that lose all their replicas while their coordinator lives.
 */
import type { Broker, TransactionalProducerIdentity } from 'kafkajs'
import { hasErrorType } from './error-causes.ts'
import { KafkaConfigError } from './errors.ts'
import {
  TopicRefused,
  TopicsForbidden,
  announce,
  nameOf,
  whilePreviousEnds,
} from './transaction-announcement.ts'
import type { AnnouncedTransaction, BatchPlace } from './transaction-announcement.ts'

/** The last transaction of a transactional id in which anything was stored; then the one that marks it again. */
export interface LastTransaction {
  /** The epoch that the coordinator knows it by. */
  identity: TransactionalProducerIdentity
  /** Where its records are, unless the topic was deleted since, or the right to it taken away. */
  batches: readonly BatchPlace[]
  /** Told to commit; before, it can only be aborted. Once it is settled: how it ended. */
  commits: boolean
  /** The coordinator has said how it ended. */
  settled: boolean
}

const noLeader = -1
/** UNKNOWN_TOPIC_OR_PARTITION, and TOPIC_AUTHORIZATION_FAILED: then it may not be announced either. */
const outOfReach = [3, 29]
/** Somebody else has used the id since, or nothing was begun. */
const endedOtherwiseTypes = [
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'PRODUCER_FENCED',
]

/**
 * Before the id gets a new epoch: settles how the transaction ended. To end it in the same way once more is no error (endTransaction in
 * Kafka's TransactionCoordinator); if its epoch is over and nobody knew better, it took too long and was aborted. A transaction that
 * marks it again and was interrupted is ended here, too: the new epoch would abort it, and what it stands for.
 * @throws KafkaConfigError 'retryable' while a partition has no leader: marked now, it would go without its marker again
 */
export async function endAgain(coordinator: Broker, last: LastTransaction, limitMs: number): Promise<void> {
  const { identity, commits } = last
  // Whatever the partitions do: waiting for them, it would take too long.
  try {
    await whilePreviousEnds(limitMs, () => coordinator.endTxn({ ...identity, transactionResult: commits }))
  } catch (error) {
    if (!hasErrorType(error, ...endedOtherwiseTypes)) throw error
    if (!last.settled) last.commits = false
  }
  last.settled = true
  last.batches = await withLeaders(coordinator, last.batches)
}

/** Under the new epoch: a transaction without records. Its markers may still be on their way when it returns. */
export async function markAgain(
  coordinator: Broker,
  identity: TransactionalProducerIdentity,
  groupId: string,
  last: LastTransaction,
): Promise<void> {
  // From now on it is this one that must not be left to the next epoch.
  last.identity = identity
  await announceAllowed({ coordinator, identity, announced: new Set() }, groupId, last)
  await coordinator.endTxn({ ...identity, transactionResult: last.commits })
}

/** Without a right to a topic nobody can write its markers: what is left of the transaction is still to be marked. */
async function announceAllowed(
  transaction: AnnouncedTransaction,
  groupId: string,
  last: LastTransaction,
): Promise<void> {
  for (;;) {
    try {
      await announce(transaction, groupId, last.batches)
      return
    } catch (error) {
      if (!(error instanceof TopicRefused || error instanceof TopicsForbidden)) throw error
      const out = error instanceof TopicRefused ? [error.topic] : error.topics
      last.batches = last.batches.filter(({ topic }) => !out.includes(topic))
    }
  }
}

/** Those whose partitions exist, as the coordinator sees it, and are within reach. */
async function withLeaders(coordinator: Broker, batches: readonly BatchPlace[]): Promise<BatchPlace[]> {
  const topics = new Set(batches.map(({ topic }) => topic))
  // Asked for none, a broker tells all.
  if (topics.size === 0) return []
  const { topicMetadata } = await coordinator.metadata([...topics])
  const leaders = new Map(
    topicMetadata.flatMap(({ topic, partitionMetadata }) =>
      partitionMetadata.map(({ partitionId, leader }) => [nameOf({ topic, partition: partitionId }), leader]),
    ),
  )
  const unreadable = topicMetadata.find(({ topicErrorCode }) => ![0, ...outOfReach].includes(topicErrorCode))
  if (unreadable !== undefined) {
    throw new KafkaConfigError(`nobody tells the leaders of ${unreadable.topic}`, 'retryable')
  }
  const existing = batches.filter(batch => leaders.has(nameOf(batch)))
  const leaderless = existing.find(batch => leaders.get(nameOf(batch)) === noLeader)
  if (leaderless !== undefined) throw new KafkaConfigError(`${nameOf(leaderless)} has no leader`, 'retryable')
  return existing
}
