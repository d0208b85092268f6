/**
 * Records and a position, stored together or not at all: one Kafka transaction after the other.
 *
 * Guarantees: `publish` that returned is committed; readers with isolation level read_committed see all of its records and its
 * position or none. Whoever opens the same transactional ids later shuts out everybody before (fencing): nothing that an earlier one
 * still sends is ever committed. After any failure the outcome is asked for, never guessed: `open` again, which decides
 * what was left open, then `position`.
 *
 * It stands on the Cluster of kafkajs (connections, metadata, protocol), not on its producer: that one asks for the coordinator before
 * every request, waits for each answer before the next request, and goes on with sequence numbers of which nobody knows
 * whether the broker has seen them. Here a transaction takes three round trips, whatever the number of its requests:
 * its partitions and its group are announced, then records and position are sent, then it ends.
 *
 * Two transactional ids take turns. A transaction that has ended is committed, but its markers are still on their way into every
 * partition, and until then its id takes no new one. The other id does. It begins when the one before is certain to be committed,
 * so the records of a partition, and their readers, still see one after the other; of two positions the broker keeps the
 * one that was written later, whichever markers come first (OffsetMetadataManager.replayEndTransactionMarker of Kafka).
 *
 * Nothing is repeated within a transaction, so that several requests can be under way without one overtaking another: a
 * transaction succeeds at the first attempt or it is begun anew, as a whole, by whoever called.
 */
import kafkajs from 'kafkajs'
import type { Broker, Cluster, Kafka, TransactionalProducerIdentity } from 'kafkajs'
import type { Logger } from 'pino'
import { causesOf, hasErrorType, reasonOf } from './error-causes.ts'
import { KafkaConfigError, classifyKafkaError } from './errors.ts'
import { siblingKafka } from './kafka.ts'
import { endAgain, markAgain } from './lost-markers.ts'
import type { LastTransaction } from './lost-markers.ts'
import { outcomeOfPartition } from './produce-outcome.ts'
import { afterRefusedBatch, afterSettledBatch } from './record-accumulator.ts'
import type { BatchLimit } from './record-accumulator.ts'
import {
  TopicRefused,
  TopicsForbidden,
  allEnded,
  announce,
  nameOf,
  previousTransactionTimeoutMs,
  topicForbidden,
  whilePreviousEnds,
} from './transaction-announcement.ts'
import type { AnnouncedTransaction, BatchPlace } from './transaction-announcement.ts'
import { layOutRequests } from './transaction-requests.ts'
import type { KeyedRecord, TransactionBatch } from './transaction-requests.ts'

export interface TransactionalProducerOptions {
  logger: Logger
  /** Begins both transactional ids: `<it>-0` and `<it>-1`. Who shares them shuts each other out. */
  transactionalId: string
  /** Where its position is kept. */
  place: PositionPlace
  /** After so long the broker ends a transaction that was left open; until then it holds back read_committed readers. Default 30,000. */
  transactionTimeoutMs?: number
}

/** A consumer group's offset on one partition, with a text of the caller's. */
export interface Position {
  readonly offset: string
  /** Brokers allow 4,096 characters (`offset.metadata.max.bytes`). */
  readonly metadata: string
}

/** Where a position is kept. The topic must exist; the group needs no members. */
export interface PositionPlace {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

export interface TransactionalProducer {
  /**
   * Shuts out every earlier user of the transactional ids and returns when all of their transactions are committed or aborted.
   * Needed before the first `publish` and after each that failed.
   * @throws ProducerFencedError somebody else opens them at the same time, and was later
   * @throws TransactionFailedError 'retryable' while brokers do not answer
   */
  open(): Promise<void>
  /**
   * The committed position, or null when there is none. Exact only after `open`.
   * @throws TransactionFailedError as `open`
   */
  position(): Promise<Position | null>
  /**
   * One transaction. Resolves when it is committed.
   * @param upcoming records of the next one, if it follows at once: asked for while these are stored, to announce their partitions
   * @throws ProducerFencedError somebody else has opened the transactional ids, or the transaction took too long; not committed
   * @throws RecordsRefusedError these records cannot be stored; not committed
   * @throws BatchRefusedError the same again is sent in smaller batches; not committed
   * @throws TransactionFailedError anything else; perhaps committed
   */
  publish(
    records: readonly KeyedRecord[],
    position: Position,
    upcoming?: () => readonly KeyedRecord[],
  ): Promise<void>
  /** Leaves what is open to whoever opens the transactional ids next, or to the transaction timeout. */
  close(): Promise<void>
}

/** A later `open` of the same transactional ids, perhaps by another process, ended this one. Nothing was committed. */
export class ProducerFencedError extends KafkaConfigError {
  constructor(transactionalId: string, cause: unknown) {
    super(`${transactionalId} was opened by somebody else: ${reasonOf(cause)}`, 'retryable', cause)
  }
}

/** Records of one topic that are refused for one reason. */
export interface RecordsRefusal {
  readonly topic: string
  /** Kafka's name of the reason, such as `MESSAGE_TOO_LARGE`. */
  readonly type: string
  /** Which of the records given to `publish`. */
  readonly indexes: readonly number[]
}

/** The brokers do not take these records, and never will as they are. Nothing of their transaction was committed. */
export class RecordsRefusedError extends KafkaConfigError {
  readonly refusals: readonly RecordsRefusal[]
  constructor(refusals: readonly RecordsRefusal[]) {
    const sentences = refusals.map(
      ({ topic, type, indexes }) => `${indexes.length} records for ${topic} were refused: ${type}`,
    )
    super(sentences.join('; '), 'not retryable')
    this.refusals = refusals
  }
}

/** Several records together were refused. Next time they are sent in smaller batches, until only those are refused that are the reason. */
export class BatchRefusedError extends KafkaConfigError {
  constructor({ topic, indexes }: TransactionBatch, type: string) {
    super(`a batch of ${indexes.length} records for ${topic} was refused: ${type}`, 'retryable')
  }
}

/**
 * The transaction did not end in order. It is perhaps committed; `open` and `position` tell. 'retryable' after whatever a broker
 * or the network said, unless a person must change something first: begun anew, with a new producer epoch, it may succeed.
 * TOPIC_AUTHORIZATION_FAILED is 'retryable' too: a person may give the right back.
 */
export class TransactionFailedError extends KafkaConfigError {
  /** Kafka's name of the reason, if a broker gave one. */
  readonly type: string | undefined
  constructor(transactionalId: string, cause: unknown) {
    const category = classifyKafkaError(cause)
    const saidByBroker = causesOf(cause).find(each => each instanceof kafkajs.KafkaJSProtocolError)
    const reason = cause instanceof TopicsForbidden ? cause.message : reasonOf(cause)
    super(
      `a transaction of ${transactionalId} failed: ${reason}`,
      category === 'not retryable' && saidByBroker !== undefined ? 'retryable' : category,
      cause,
    )
    this.type = saidByBroker?.type
  }
}

/** From one `open` on. Whatever goes wrong, it is given up as a whole. */
interface Session {
  readonly cluster: Cluster
  /** Connections of their own: a broker answers the requests of one connection one after the other. */
  readonly coordinators: Cluster
  readonly groupCoordinator: Broker
  /** The one whose turn it is comes first. */
  ids: readonly [IdSession, IdSession]
}

/** One producer epoch of a transactional id. */
interface IdSession extends AnnouncedTransaction {
  /** The next sequence number of each partition. */
  readonly sequences: Map<string, number>
  /** Settles when nothing is being announced ahead of its turn. */
  ahead: Promise<unknown>
}

/** A topic's default limit of a batch is 1 MiB and 12 bytes; a batch has a header of 61 bytes. */
const defaultBatchLimitBytes = 1024 * 1024 - 61
/** Less than the 10 s after which kafkajs gives a request up, so that the broker's own answer comes first. */
const replicationTimeoutMs = 8_000
/** A topic may gain partitions, as in Java. */
const metadataMaxAgeMs = 300_000

/** Nothing connects before `open`. */
export function createTransactionalProducer(
  kafka: Kafka,
  options: TransactionalProducerOptions,
): TransactionalProducer {
  return new Producer(siblingKafka(kafka, { retry: { retries: 0 } }), options)
}

class Producer implements TransactionalProducer {
  readonly #kafka: Kafka
  readonly #logger: Logger
  readonly #transactionalId: string
  readonly #place: PositionPlace
  readonly #transactionTimeoutMs: number
  readonly #limits = new Map<string, BatchLimit>()
  /** Of each transactional id. */
  readonly #last = new Map<string, LastTransaction>()
  #session: Session | undefined

  constructor(kafka: Kafka, options: TransactionalProducerOptions) {
    this.#kafka = kafka
    this.#logger = options.logger
    this.#transactionalId = options.transactionalId
    this.#place = options.place
    this.#transactionTimeoutMs = options.transactionTimeoutMs ?? 30_000
  }

  async open(): Promise<void> {
    await this.close()
    const transactionalId = this.#transactionalId
    const clusterOptions = { allowAutoTopicCreation: false, metadataMaxAge: metadataMaxAgeMs }
    const cluster = this.#kafka.cluster(clusterOptions)
    const coordinators = this.#kafka.cluster(clusterOptions)
    try {
      // Also how the brokers become known.
      await cluster.addMultipleTargetTopics([this.#place.topic])
      await coordinators.addMultipleTargetTopics([this.#place.topic])
      const groupCoordinator = await cluster.findGroupCoordinator({
        groupId: this.#place.groupId,
        coordinatorType: coordinatorTypes.group,
      })
      this.#session = {
        cluster,
        coordinators,
        groupCoordinator,
        ids: [
          await this.#openId(coordinators, `${transactionalId}-0`),
          await this.#openId(coordinators, `${transactionalId}-1`),
        ],
      }
      this.#last.clear()
    } catch (error) {
      await Promise.all([cluster.disconnect(), coordinators.disconnect()])
      throw this.#failure(error)
    }
  }

  async #openId(cluster: Cluster, transactionalId: string): Promise<IdSession> {
    const coordinator = await cluster.findGroupCoordinator({
      groupId: transactionalId,
      coordinatorType: coordinatorTypes.transaction,
    })
    const nextEpoch = async (): Promise<TransactionalProducerIdentity> => {
      const { producerId, producerEpoch } = await whilePreviousEnds(longestAbortMs, () =>
        coordinator.initProducerId({ transactionalId, transactionTimeout: this.#transactionTimeoutMs }),
      )
      return { transactionalId, producerId, producerEpoch }
    }
    const last = this.#last.get(transactionalId)
    if (last !== undefined) await endAgain(coordinator, last, longestAbortMs)
    let identity = await nextEpoch()
    if (last !== undefined) {
      await markAgain(coordinator, identity, this.#place.groupId, last)
      identity = await nextEpoch()
    }
    return { identity, coordinator, sequences: new Map(), announced: new Set(), ahead: Promise.resolve() }
  }

  async position(): Promise<Position | null> {
    const { groupCoordinator } = this.#require()
    const { groupId, topic, partition } = this.#place
    try {
      const { responses } = await groupCoordinator.offsetFetch({
        groupId,
        topics: [{ topic, partitions: [{ partition }] }],
      })
      const found = responses[0]?.partitions[0]
      if (found === undefined || found.offset === '-1') return null
      return { offset: found.offset, metadata: found.metadata ?? '' }
    } catch (error) {
      await this.close()
      throw this.#failure(error)
    }
  }

  async publish(
    records: readonly KeyedRecord[],
    position: Position,
    upcoming: () => readonly KeyedRecord[] = () => [],
  ): Promise<void> {
    const session = this.#require()
    try {
      await this.#transact(session, records, position, upcoming)
      session.ids = [session.ids[1], session.ids[0]]
      for (const [topic, limit] of this.#limits) this.#limits.set(topic, afterSettledBatch(limit))
    } catch (error) {
      await this.close()
      throw this.#explain(error)
    }
  }

  async #transact(
    session: Session,
    records: readonly KeyedRecord[],
    position: Position,
    upcoming: () => readonly KeyedRecord[],
  ): Promise<void> {
    const { cluster, groupCoordinator, ids } = session
    const [current, next] = ids
    const { groupId, topic, partition } = this.#place
    await loadMetadata(cluster, records)
    const requests = this.#layOut(cluster, records)
    await current.ahead
    await announce(current, groupId, requests.flat())

    const known = upcoming().filter(record => cluster.targetTopics.has(record.topic))
    // What is refused ahead is refused again in its turn, which then tells.
    if (known.length > 0) {
      next.ahead = announce(next, groupId, this.#layOut(cluster, known).flat()).catch(() => {})
    }

    const last: LastTransaction = {
      identity: current.identity,
      batches: requests.flat().map(placeOf),
      commits: false,
      settled: false,
    }
    this.#last.set(current.identity.transactionalId, last)
    await allEnded(
      [
        ...requests.flatMap(batches => produce(session, batches)),
        groupCoordinator.txnOffsetCommit({
          ...current.identity,
          groupId,
          topics: [{ topic, partitions: [{ partition, ...position }] }],
        }),
      ],
      mostTelling,
    )

    last.commits = true
    await whilePreviousEnds(previousTransactionTimeoutMs, () =>
      current.coordinator.endTxn({ ...current.identity, transactionResult: true }),
    )
    last.settled = true
    current.announced.clear()
  }

  #layOut(cluster: Cluster, records: readonly KeyedRecord[]): TransactionBatch[][] {
    return layOutRequests(records, topic => ({
      partitions: cluster.findTopicPartitionMetadata(topic).length,
      batchLimitBytes: this.#limitOf(topic).nextBytes,
    }))
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await Promise.all([session?.cluster.disconnect(), session?.coordinators.disconnect()])
  }

  #require(): Session {
    if (this.#session !== undefined) return this.#session
    throw new KafkaConfigError(`${this.#transactionalId} is not open`, 'fatal')
  }

  #limitOf(topic: string): BatchLimit {
    const initial = { nextBytes: defaultBatchLimitBytes, mostBytes: defaultBatchLimitBytes }
    return this.#limits.get(topic) ?? initial
  }

  #explain(error: unknown): KafkaConfigError {
    if (error instanceof TopicRefused) return new RecordsRefusedError([error])
    if (!(error instanceof Refused)) return this.#failure(error)
    const { batches, records } = error
    for (const [first] of Map.groupBy(batches, ({ batch }) => batch.topic).values()) {
      const { batch, type, everyBatchTooLarge } = first!
      const { topic, indexes, sizeBytes } = batch
      this.#limits.set(topic, afterRefusedBatch(this.#limitOf(topic), sizeBytes, everyBatchTooLarge))
      this.#logger.debug({ topic, records: indexes.length, sizeBytes, type }, 'smaller batches from now on')
    }
    // Those that are refused by themselves are refused again, beside what is still found in smaller batches.
    const [first] = batches
    if (first !== undefined) return new BatchRefusedError(first.batch, first.type)
    return new RecordsRefusedError(byReason(records))
  }

  #failure(error: unknown): ProducerFencedError | TransactionFailedError {
    const isFenced = hasErrorType(error, ...fencedTypes)
    return new (isFenced ? ProducerFencedError : TransactionFailedError)(this.#transactionalId, error)
  }
}

/** Without its records, which need not be kept. */
function placeOf({ topic, partition }: TransactionBatch): BatchPlace {
  return { topic, partition, indexes: [] }
}

/** One produce request a broker. They leave in the order of the calls, so a partition's batches arrive in theirs. */
function produce(session: Session, batches: readonly TransactionBatch[]): Promise<void>[] {
  const { cluster, ids } = session
  const [{ identity, sequences }] = ids
  const byLeader = new Map<string, TransactionBatch[]>()
  for (const batch of batches) {
    const [leader = ''] = Object.keys(cluster.findLeaderForPartitions(batch.topic, [batch.partition]))
    const ofLeader = byLeader.get(leader)
    if (ofLeader === undefined) byLeader.set(leader, [batch])
    else ofLeader.push(batch)
  }
  return Array.from(byLeader, async ([nodeId, ofLeader]) => {
    const topicData = ofLeader.map(({ topic, partition, records }) => ({
      topic,
      partitions: [
        {
          partition,
          firstSequence: takeSequence(sequences, nameOf({ topic, partition }), records.length),
          messages: records,
        },
      ],
    }))
    const broker = await cluster.findBroker({ nodeId })
    try {
      await broker.produce({ ...identity, acks: -1, timeout: replicationTimeoutMs, topicData })
    } catch (error) {
      throw refusalOf(error, ofLeader) ?? error
    }
  })
}

/** Counts to 2^31 - 1 and then from 0, as the broker does. */
function takeSequence(sequences: Map<string, number>, partition: string, count: number): number {
  const first = sequences.get(partition) ?? 0
  sequences.set(partition, (first + count) % 2 ** 31)
  return first
}

function byReason(refusals: readonly RecordsRefusal[]): RecordsRefusal[] {
  return Array.from(Map.groupBy(refusals, ({ topic, type }) => `${topic} ${type}`).values(), alike => ({
    ...alike[0]!,
    indexes: alike.flatMap(({ indexes }) => indexes),
  }))
}

/**
 * All batches that the broker refuses for what is in them, so that many bad records cost one transaction together. The patched kafkajs puts the
 * whole answer on its error.
 */
function refusalOf(error: unknown, batches: readonly TransactionBatch[]): Error | undefined {
  if (!(error instanceof kafkajs.KafkaJSProtocolError) || error.response === undefined) return undefined
  const codes = new Map(
    error.response.topics.flatMap(({ topicName, partitions }) =>
      partitions.map(({ partition, errorCode }) => [`${topicName}/${partition}`, errorCode]),
    ),
  )
  const refused = new Refused([], [])
  for (const batch of batches) {
    const { topic, partition, indexes } = batch
    const outcome = outcomeOfPartition(codes.get(`${topic}/${partition}`) ?? 0, batch.records.length)
    if (outcome.kind === 'stored') continue
    const { kind, type } = outcome
    if (type === topicForbidden) return new TopicsForbidden([topic], error)
    if (!recordRefusals.has(type)) continue
    if (kind === 'refused') refused.records.push({ topic, type, indexes })
    if (kind === 'in smaller batches') {
      refused.batches.push({ batch, type, everyBatchTooLarge: outcome.everyBatchTooLarge })
    }
  }
  return refused.records.length + refused.batches.length > 0 ? refused : undefined
}

/** Several records together, of which perhaps only one is the reason. */
interface RefusedBatch {
  readonly batch: TransactionBatch
  readonly type: string
  readonly everyBatchTooLarge: boolean
}

/** What brokers refuse of a transaction. */
class Refused extends Error {
  readonly records: RecordsRefusal[]
  readonly batches: RefusedBatch[]
  constructor(records: RecordsRefusal[], batches: RefusedBatch[]) {
    super('refused')
    this.records = records
    this.batches = batches
  }
}

const longestAbortMs = 30_000
const coordinatorTypes = { group: 0, transaction: 1 } as const
const fencedTypes = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']
/**
 * Not INVALID_TIMESTAMP: a record's time is the clock of this host, which is wrong for all of them and can be put right. Nor
 * TOPIC_AUTHORIZATION_FAILED, which is about the topic.
 */
const recordRefusals = new Set([
  'INVALID_RECORD',
  'INVALID_TOPIC_EXCEPTION',
  'MESSAGE_TOO_LARGE',
  'POLICY_VIOLATION',
  'RECORD_LIST_TOO_LARGE',
])

async function loadMetadata(cluster: Cluster, records: readonly KeyedRecord[]): Promise<void> {
  const missing = new Set<string>()
  for (const { topic } of records) if (!cluster.targetTopics.has(topic)) missing.add(topic)
  try {
    if (missing.size > 0) await cluster.addMultipleTargetTopics([...missing])
    else await cluster.refreshMetadataIfNecessary()
  } catch (error) {
    throw hasErrorType(error, topicForbidden)
      ? new TopicsForbidden([...cluster.targetTopics, ...missing], error)
      : error
  }
}

/** A refused batch makes the requests after it fail too, for a reason that says nothing. */
function mostTelling(failures: readonly unknown[]): unknown {
  const refused = failures.filter(failure => failure instanceof Refused)
  const allRefused = new Refused(
    refused.flatMap(({ records }) => records),
    refused.flatMap(({ batches }) => batches),
  )
  return (
    failures.find(failure => hasErrorType(failure, ...fencedTypes)) ??
    (refused.length > 0 ? allRefused : undefined) ??
    failures.find(failure => classifyKafkaError(failure) === 'fatal') ??
    failures.find(failure => failure instanceof TopicsForbidden) ??
    failures[0]
  )
}
