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
 * nothing. It needs what only the process knows that began the transaction: if that one dies together with the brokers, nobody
 * repairs.
 */
import type { Broker, TransactionalProducerIdentity } from 'kafkajs'
import { hasErrorType } from './error-causes.ts'
import { KafkaConfigError } from './errors.ts'
import { announce, nameOf, whilePreviousEnds } from './transaction-announcement.ts'
import type { BatchPlace } from './transaction-announcement.ts'

/** The last transaction of a transactional id in which anything was stored. */
export interface LastTransaction {
  readonly identity: TransactionalProducerIdentity
  /** Where its records are, unless the topic was deleted since. */
  batches: readonly BatchPlace[]
  /** Told to commit; before, it can only be aborted. */
  commits: boolean
  /** Whether it ended as it was told to; not known before it is asked for. */
  ended?: boolean
}

const noLeader = -1
/** Somebody else has used the id since, or nothing was begun. */
const endedOtherwiseTypes = [
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'PRODUCER_FENCED',
]

/**
 * Before the id gets a new epoch: whether the coordinator ended this transaction as it was told to, or does so now. To end it in the
 * same way once more is no error (endTransaction in Kafka's TransactionCoordinator).
 * @throws KafkaConfigError 'retryable' while a partition has no leader, for it would go without its marker again
 */
export async function endAgain(coordinator: Broker, last: LastTransaction, limitMs: number): Promise<void> {
  last.batches = await withLeaders(coordinator, last.batches)
  if (last.ended !== undefined) return
  const { identity, commits } = last
  try {
    await whilePreviousEnds(limitMs, () => coordinator.endTxn({ ...identity, transactionResult: commits }))
    last.ended = true
  } catch (error) {
    if (!hasErrorType(error, ...endedOtherwiseTypes)) throw error
    last.ended = false
  }
}

/** Under the new epoch: a transaction without records. Its markers may still be on their way when it returns. */
export async function markAgain(
  coordinator: Broker,
  identity: TransactionalProducerIdentity,
  groupId: string,
  { batches, commits }: LastTransaction,
): Promise<void> {
  await announce({ coordinator, identity, announced: new Set() }, groupId, batches)
  await coordinator.endTxn({ ...identity, transactionResult: commits })
}

/** Those whose partitions exist, as the coordinator sees it. */
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
  const existing = batches.filter(batch => leaders.has(nameOf(batch)))
  const leaderless = existing.find(batch => leaders.get(nameOf(batch)) === noLeader)
  if (leaderless !== undefined) throw new KafkaConfigError(`${nameOf(leaderless)} has no leader`, 'retryable')
  return existing
}
