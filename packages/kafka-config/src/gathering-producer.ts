/**
 * A producer that gathers: records which different callers send at about the same time leave in one produce request, and
 * each caller learns the partition and offset of its own record, or its own error.
 *
 * Guarantees: a record is reported as stored only after all in-sync replicas have it (acks=all). Records for one partition
 * are stored in the order of the calls, also when requests are repeated. One record that the broker refuses, and one
 * partition without a leader, hold up nobody else. Every promise settles within `deliveryTimeoutMs`.
 * Not guaranteed: exactly once. A request that got no answer is repeated and may then be stored twice; and a record that
 * failed with DeliveryTimeoutError and `outcomeUnknown` may still appear, even behind records sent after it.
 *
 * kafkajs' own producer is not used: it has no linger, fails all callers of a `sendBatch` for one partition's error, and
 * then sends again what was already stored. This stands on its Cluster (connections, metadata, protocol) alone.
 */
import { nextDelayMs, RetriesExhaustedError, retry } from '@kafka-pattern/retry'
import type { RetryPolicy } from '@kafka-pattern/retry'
import type { BrokerMetadata, Cluster, Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { BrokerSender } from './broker-sender.ts'
import type { Batch, BatchAnswer, RequestFailure } from './broker-sender.ts'
import { ArrayDelivery, SingleDelivery } from './delivery.ts'
import type { Delivery, RecordMetadata } from './delivery.ts'
import { noLeader, Partition, Topic } from './destination.ts'
import {
  classifyKafkaError,
  ConnectError,
  DeliveryFailedError,
  DeliveryTimeoutError,
  ProducerClosedError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
} from './errors.ts'
import type { KafkaConfigError } from './errors.ts'
import { backoffPolicy, MetadataRefresher } from './metadata-refresher.ts'
import { outcomeOfPartition } from './produce-outcome.ts'
import { afterRefusedBatch, afterSettledBatch, recordSizeBytes } from './record-accumulator.ts'
import type { HeaderValue, PendingRecord, RecordQueue } from './record-accumulator.ts'

export type { RecordMetadata } from './delivery.ts'

export interface OutgoingRecord {
  topic: string
  /** Decides the partition, as the Java client does; null: any partition. */
  key: string | Buffer | null
  /** null is a tombstone. */
  value: string | Buffer | null
  headers?: Record<string, HeaderValue | HeaderValue[]>
  /** In ms since 1970; by default the time of the call, or of a later attempt if the broker does not take that. */
  timestamp?: number
  /** Overrules the key. */
  partition?: number
}

export interface GatheringProducerOptions {
  logger: Logger
  /** How long a record waits for others before it leaves. Default 5. */
  lingerMs?: number
  /** Records for one broker leave before the linger is over when they are so many bytes. Default 64 KiB. */
  batchBytes?: number
  /** Records that wait or are unanswered, at most. Default 100,000. */
  maxQueuedRecords?: number
  /** Their bytes, at most. Default 32 MiB. */
  maxQueuedBytes?: number
  /** From the call to the acknowledgement, retries included. Default 10,000. */
  deliveryTimeoutMs?: number
  /** A larger record is refused at once. Default: what a broker's and topic's default of 1 MiB lets through. */
  maxRecordBytes?: number
}

export interface GatheringProducer {
  /**
   * Connects and loads metadata. Records may be sent before it; they then wait.
   * @throws ConnectError when no broker answers; it may be called again (`waitForKafka` waits for one)
   */
  connect(): Promise<void>
  /** Metadata is known, and neither the last request for metadata nor the last to every broker went unanswered. */
  readonly connected: boolean
  /**
   * Resolves when the record is stored.
   * @param options.timeoutMs for this record, where `deliveryTimeoutMs` would be too long
   * @throws QueueFullError, RecordTooLargeError, ProducerClosedError: at once; nothing was sent
   * @throws DeliveryTimeoutError not acknowledged within `deliveryTimeoutMs`, or `timeoutMs`
   * @throws RecordRefusedError the broker refused this record, or there is no such topic or partition
   * @throws DeliveryFailedError the cluster cannot be used, such as wrong credentials
   * @throws TypeError key, value or a header is not a string or Buffer, or the timestamp is no safe integer
   */
  send(record: OutgoingRecord, options?: { timeoutMs?: number }): Promise<RecordMetadata>
  /**
   * Sends an array, faster than one by one. Resolves when all records are stored, in the caller's order. The array is
   * accepted as a whole or, with QueueFullError, RecordTooLargeError, ProducerClosedError or TypeError, not at all.
   * @throws BatchSendError when any record failed; it has the outcome of each
   */
  sendBatch(records: readonly OutgoingRecord[]): Promise<RecordMetadata[]>
  /** Accepts nothing more, sends at once what waits, resolves when every promise has settled and disconnects. */
  close(): Promise<void>
}

/** 1 MiB is what a Java producer sends at most and what a topic takes in one batch by default, with the batch's header. */
const requestBytes = 1024 * 1024 - 61

/** As in Java. A topic may gain partitions; then new records should find them. */
const metadataMaxAgeMs = 300_000

/** A topic that was just created, or has just gained partitions, is not known as such to every broker at once. */
const longestStaleMetadataMs = 2_000

/** Less than the 10 s after which kafkajs gives a request up, so that the broker's own answer comes first. */
const replicationTimeoutMs = 8_000

/** Each attempt takes the next bootstrap address (`inTurn`); kafkajs itself does not retry here. */
const bootstrapPolicy: RetryPolicy = { kind: 'fixed', delayMs: 100, maxAttempts: 4 }

const noHeaders = Object.freeze({})

/** A producer on the cluster of `kafka`. It opens connections of its own, when `connect` or the first send needs them. */
export function createGatheringProducer(kafka: Kafka, options: GatheringProducerOptions): GatheringProducer {
  return new Producer(kafka.cluster({ allowAutoTopicCreation: false }), {
    lingerMs: 5,
    batchBytes: 64 * 1024,
    maxQueuedRecords: 100_000,
    maxQueuedBytes: 32 * 1024 * 1024,
    deliveryTimeoutMs: 10_000,
    maxRecordBytes: requestBytes,
    ...options,
  })
}

class Producer implements GatheringProducer {
  readonly #cluster: Cluster
  readonly #options: Required<GatheringProducerOptions>
  readonly #logger: Logger
  readonly #topics = new Map<string, Topic>()
  readonly #senders = new Map<number, BrokerSender>()
  readonly #refresher: MetadataRefresher
  #metadataAtMs = -Infinity
  #queuedRecords = 0
  #queuedBytes = 0
  #expiry: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #onEmpty: (() => void) | undefined
  /** The current time as text: the records of one millisecond share it. */
  #timestampMs = 0
  #timestamp = '0'

  constructor(cluster: Cluster, options: Required<GatheringProducerOptions>) {
    this.#cluster = cluster
    this.#options = options
    this.#logger = options.logger
    this.#refresher = new MetadataRefresher(
      () => this.#refreshMetadata(),
      (error, failures) => {
        // The first of a series is news, the rest is the same outage.
        this.#logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures, queuedRecords: this.#queuedRecords },
          'no metadata from Kafka, trying on',
        )
        if (classifyKafkaError(error) === 'fatal') this.#failUnroutable(error)
      },
    )
  }

  get connected(): boolean {
    if (this.#metadataAtMs === -Infinity || this.#refresher.failing) return false
    return this.#senders.size === 0 || [...this.#senders.values()].some(sender => !sender.failing)
  }

  async connect(): Promise<void> {
    if (this.#closing !== undefined) throw new ProducerClosedError()
    try {
      await retry(() => this.#refresher.now(), {
        policy: bootstrapPolicy,
        isRetryable: error => classifyKafkaError(error) === 'retryable',
      })
    } catch (error) {
      throw new ConnectError(error instanceof RetriesExhaustedError ? error.cause : error)
    }
  }

  send(record: OutgoingRecord, options?: { timeoutMs?: number }): Promise<RecordMetadata> {
    try {
      const sizeBytes = this.#checkedSizeBytes(record)
      this.#checkRoom(1, sizeBytes)
      const delivery = new SingleDelivery()
      const pending = this.#accept(record, sizeBytes, delivery, 0, performance.now())
      const timeoutMs = options?.timeoutMs ?? Infinity
      // Otherwise the one timer of all records comes first.
      if (timeoutMs < this.#options.deliveryTimeoutMs) {
        const timer = setTimeout(() => this.#giveUp(pending, record.topic, timeoutMs), timeoutMs)
        const stop = () => clearTimeout(timer)
        delivery.promise.then(stop, stop)
      }
      return delivery.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  sendBatch(records: readonly OutgoingRecord[]): Promise<RecordMetadata[]> {
    try {
      const sizes = records.map(record => this.#checkedSizeBytes(record))
      this.#checkRoom(
        records.length,
        sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0),
      )
      if (records.length === 0) return Promise.resolve([])
      const delivery = new ArrayDelivery(records.length)
      const nowMs = performance.now()
      for (let i = 0; i < records.length; i++) this.#accept(records[i]!, sizes[i]!, delivery, i, nowMs)
      return delivery.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const sender of this.#senders.values()) sender.flush()
    if (this.#queuedRecords > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve))
    clearTimeout(this.#expiry)
    this.#refresher.stop()
    const senders = [...this.#senders.values()]
    const awaitsAnswer = this.#refresher.awaitsAnswer || senders.some(sender => sender.awaitsAnswer)
    for (const sender of senders) sender.stop()
    for (const { partitions } of this.#topics.values())
      for (const { pause } of partitions) clearTimeout(pause)
    const disconnected = this.#cluster.disconnect()
    // kafkajs waits for the answers it expects. Nobody here does: every record has its outcome.
    if (awaitsAnswer) disconnected.catch(cause => this.#logger.debug({ err: cause }, 'disconnecting failed'))
    else await disconnected
  }

  // ---- A record comes in

  #checkedSizeBytes(record: OutgoingRecord): number {
    const { timestamp } = record
    // The encoder throws for the whole request, and with it would fail the records of others.
    if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
      throw new TypeError(`the timestamp of a record must be whole milliseconds since 1970, not ${timestamp}`)
    }
    const sizeBytes = recordSizeBytes(record)
    const { maxRecordBytes } = this.#options
    if (sizeBytes > maxRecordBytes) {
      throw new RecordTooLargeError(
        record.topic,
        sizeBytes,
        `the producer's limit of ${maxRecordBytes} bytes`,
      )
    }
    return sizeBytes
  }

  #checkRoom(records: number, sizeBytes: number): void {
    if (this.#closing !== undefined) throw new ProducerClosedError()
    const { maxQueuedRecords, maxQueuedBytes } = this.#options
    if (this.#queuedRecords + records > maxQueuedRecords || this.#queuedBytes + sizeBytes > maxQueuedBytes) {
      const queued = `${this.#queuedRecords} of ${maxQueuedRecords} records, ${this.#queuedBytes} of ${maxQueuedBytes} bytes`
      throw new QueueFullError(records, sizeBytes, queued)
    }
  }

  #accept(
    record: OutgoingRecord,
    sizeBytes: number,
    delivery: Delivery,
    index: number,
    nowMs: number,
  ): PendingRecord {
    const { topic: name, key, value, headers, timestamp, partition } = record
    const pending: PendingRecord = {
      key: key ?? null,
      value: value ?? null,
      headers: headers ?? noHeaders,
      timestamp: timestamp === undefined ? this.#currentTimestamp() : String(timestamp),
      isTimestampGiven: timestamp !== undefined,
      sizeBytes,
      wantedPartition: partition,
      queuedAtMs: nowMs,
      index,
      delivery,
      perhapsStored: false,
    }
    this.#queuedRecords++
    this.#queuedBytes += sizeBytes
    if (this.#expiry === undefined) this.#expireIn(this.#options.deliveryTimeoutMs)
    if (nowMs - this.#metadataAtMs > metadataMaxAgeMs) this.#refresher.wish()

    const topic = this.#topics.get(name) ?? this.#addTopic(name)
    if (topic.partitions.length === 0) topic.unassigned.append(pending)
    else this.#assign(topic, pending)
    return pending
  }

  #currentTimestamp(): string {
    const nowMs = Date.now()
    if (nowMs !== this.#timestampMs) {
      this.#timestampMs = nowMs
      this.#timestamp = String(nowMs)
    }
    return this.#timestamp
  }

  #addTopic(name: string): Topic {
    const topic = new Topic(name)
    this.#topics.set(name, topic)
    this.#cluster.targetTopics.add(name)
    // connect() has loaded the metadata of all topics when none was known yet.
    const { metadata } = this.#cluster.brokerPool
    const known = metadata?.topicMetadata.find(candidate => candidate.topic === name)
    if (metadata !== null && known?.topicErrorCode === 0) {
      this.#learnPartitions(topic, known.partitionMetadata, brokerIdsOf(metadata))
    } else this.#refresher.wish()
    return topic
  }

  #assign(topic: Topic, pending: PendingRecord): void {
    const wanted = pending.wantedPartition
    const partition =
      wanted === undefined
        ? topic.partitionFor(pending.key, this.#options.batchBytes)
        : topic.partitions[wanted]
    if (partition === undefined) {
      const count = topic.partitions.length
      this.#settle(
        pending,
        new RecordRefusedError(
          topic.name,
          wanted,
          'UNKNOWN_TOPIC_OR_PARTITION',
          `there are ${count} partitions`,
        ),
      )
      return
    }
    partition.queue.append(pending)
    if (partition.sender?.has(partition)) partition.sender.resized(partition, pending.sizeBytes)
    else this.#offer(partition)
  }

  /** Hands the partition to the sender of its leader, if nothing keeps it back. */
  #offer(partition: Partition): void {
    if (partition.inFlight || partition.pause !== undefined || partition.queue.length === 0) return
    if (partition.sender === undefined) this.#refresher.wish()
    else partition.sender.add(partition)
  }

  // ---- An answer comes in, or none

  #answered({ partition, records }: Batch, { errorCode, baseOffset }: BatchAnswer): void {
    const isTimeOfHost = errorCode !== 0 && records.every(({ isTimestampGiven }) => !isTimestampGiven)
    const outcome = outcomeOfPartition(errorCode, records.length, isTimeOfHost)
    const { topic, id } = partition
    if (outcome.kind === 'again') {
      if (outcome.stampAnew) for (const record of records) record.timestamp = this.#currentTimestamp()
      this.#pauseAndRepeat(partition, records, outcome)
      return
    }
    partition.failures = 0
    partition.lastFailure = undefined
    if (outcome.kind === 'in smaller batches') {
      const sentBytes = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      partition.limit = afterRefusedBatch(partition.limit, sentBytes, outcome.everyBatchTooLarge)
      this.#logger.debug(
        { topic: topic.name, partition: id, records: records.length, reason: outcome.type },
        'batch refused, sending smaller ones',
      )
      this.#putBack(partition, records)
    } else {
      partition.limit = afterSettledBatch(partition.limit)
      if (outcome.kind === 'stored') {
        // Exact: a partition would need 285 years at a million records a second to pass 2 ** 53.
        const firstOffset = Number(baseOffset)
        for (let i = 0; i < records.length; i++) {
          this.#settle(records[i]!, { topic: topic.name, partition: id, offset: String(firstOffset + i) })
        }
      } else {
        for (const record of records) this.#settle(record, refusal(partition, record, outcome.type))
      }
    }
    this.#offer(partition)
  }

  #pauseAndRepeat(
    partition: Partition,
    records: readonly PendingRecord[],
    { type, movedLeader, perhapsStored }: { type: string; movedLeader: boolean; perhapsStored: boolean },
  ): void {
    const { topic, id } = partition
    partition.failures++
    partition.lastFailure = type
    const delayMs = nextDelayMs(backoffPolicy, partition.failures, 0) ?? 0
    this.#logger.debug(
      { topic: topic.name, partition: id, records: records.length, reason: type, delayMs },
      'batch not stored, sending it again',
    )
    if (perhapsStored) for (const record of records) record.perhapsStored = true
    this.#putBack(partition, records)
    if (movedLeader) this.#refresher.wish()
    partition.pause = setTimeout(() => {
      partition.pause = undefined
      this.#offer(partition)
    }, delayMs)
  }

  #unanswered(nodeId: number, batches: readonly Batch[], { error, sent, failures }: RequestFailure): void {
    this.#logger[failures === 1 ? 'warn' : 'debug'](
      { err: error, nodeId, partitions: batches.length, failures, queuedRecords: this.#queuedRecords },
      'no answer from the broker, trying on',
    )
    const repeatable = classifyKafkaError(error) === 'retryable'
    for (const { partition, records } of batches) {
      partition.lastFailure = error
      if (repeatable) {
        if (sent) for (const record of records) record.perhapsStored = true
        this.#putBack(partition, records)
      } else {
        const failure = new DeliveryFailedError(partition.topic.name, partition.id, error)
        for (const record of records) this.#settle(record, failure)
      }
      this.#offer(partition)
    }
    this.#refresher.wish()
  }

  /** To the head of the queue, but for those whose time is over. */
  #putBack(partition: Partition, records: readonly PendingRecord[]): void {
    partition.queue.putBack(records.filter(({ delivery }) => delivery !== null))
  }

  #settle(record: PendingRecord, outcome: RecordMetadata | KafkaConfigError): void {
    const { delivery } = record
    if (delivery === null) return
    record.delivery = null
    this.#queuedRecords--
    this.#queuedBytes -= record.sizeBytes
    delivery.settle(record.index, outcome)
    if (this.#queuedRecords === 0) this.#onEmpty?.()
  }

  // ---- Metadata

  async #refreshMetadata(): Promise<'complete' | 'incomplete'> {
    try {
      await this.#cluster.refreshMetadata()
    } finally {
      // The attempt may have opened a connection after close() had closed all of them.
      if (this.#closing !== undefined && this.#refresher.stopped) await this.#cluster.disconnect()
    }
    const { metadata } = this.#cluster.brokerPool
    if (metadata === null) return 'incomplete'
    this.#metadataAtMs = performance.now()

    let complete = true
    const brokers = brokerIdsOf(metadata)
    const found = new Map(metadata.topicMetadata.map(topic => [topic.topic, topic]))
    for (const topic of this.#topics.values()) {
      const { topicErrorCode, partitionMetadata } = found.get(topic.name) ?? noTopicMetadata
      if (topicErrorCode === 0) {
        this.#learnPartitions(topic, partitionMetadata, brokers)
        complete &&= topic.unassigned.length === 0 && topic.partitions.every(isServed)
        continue
      }
      if (this.#isRefusedTopic(topic, topicErrorCode)) this.#dropTopic(topic, topicErrorCode)
      if (!this.#topics.has(topic.name)) continue
      // Nothing was said of its partitions: they stay with their leaders, as far as those still exist.
      for (const partition of topic.partitions) this.#follow(partition, partition.leader, brokers)
      complete = false
    }
    // No partition has one of these: all of them follow brokers that exist.
    for (const [nodeId, sender] of this.#senders) {
      if (!brokers.has(nodeId) && sender.idle) {
        sender.stop()
        this.#senders.delete(nodeId)
      }
    }
    return complete ? 'complete' : 'incomplete'
  }

  #learnPartitions(
    topic: Topic,
    found: readonly { partitionId: number; leader: number }[],
    brokers: ReadonlySet<number>,
  ): void {
    topic.unknownSinceMs = undefined
    for (let id = topic.partitions.length; id < found.length; id++) {
      topic.partitions.push(new Partition(topic, id, requestBytes))
    }
    const leaders = new Map(found.map(({ partitionId, leader }) => [partitionId, leader]))
    for (const partition of topic.partitions) {
      this.#follow(partition, leaders.get(partition.id) ?? noLeader, brokers)
    }
    this.#dropMissingPartitions(topic, found.length)
    if (topic.partitions.length === 0) return
    for (const record of topic.unassigned.takeAll()) this.#assign(topic, record)
  }

  /** A topic that was deleted and made anew may have fewer: what waits for one that is gone goes where its key belongs now. */
  #dropMissingPartitions(topic: Topic, count: number): void {
    if (count >= topic.partitions.length) {
      topic.shrunkSinceMs = undefined
      return
    }
    const nowMs = performance.now()
    topic.shrunkSinceMs ??= nowMs
    const gone = topic.partitions.slice(count)
    if (nowMs - topic.shrunkSinceMs < longestStaleMetadataMs || gone.some(({ inFlight }) => inFlight)) return
    topic.partitions.length = count
    topic.shrunkSinceMs = undefined
    for (const partition of gone) {
      clearTimeout(partition.pause)
      topic.stopFilling(partition)
      for (const record of partition.queue.takeAll()) this.#assign(topic, record)
    }
    // Behind younger ones they would outlive the timeout.
    for (const { queue } of topic.partitions) queue.sortByAge()
  }

  #follow(partition: Partition, leader: number, brokers: ReadonlySet<number>): void {
    partition.sender?.remove(partition)
    // A broker that just went away may still be named as leader.
    partition.leader = brokers.has(leader) ? leader : noLeader
    partition.sender = partition.leader === noLeader ? undefined : this.#senderFor(partition.leader)
    // Records without a key may go where there is a leader. What waits here already waits for the next one.
    if (partition.leader === noLeader) partition.topic.stopFilling(partition)
    this.#offer(partition)
  }

  /** A topic of which the brokers do not know may be one that was created a moment ago. */
  #isRefusedTopic(topic: Topic, topicErrorCode: number): boolean {
    const outcome = outcomeOfPartition(topicErrorCode, 1)
    if (outcome.kind !== 'again') return true
    if (outcome.type !== 'UNKNOWN_TOPIC_OR_PARTITION') return false
    const nowMs = performance.now()
    topic.unknownSinceMs ??= nowMs
    return (
      nowMs - topic.unknownSinceMs >= Math.min(longestStaleMetadataMs, this.#options.deliveryTimeoutMs / 2)
    )
  }

  #dropTopic(topic: Topic, topicErrorCode: number): void {
    const outcome = outcomeOfPartition(topicErrorCode, 1)
    const type = 'type' in outcome ? outcome.type : ''
    const explanation =
      type === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'there is no such topic' : 'the topic cannot be used'
    for (const [queue, partition] of queuesOf(topic)) {
      const sizeBytes = queue.sizeBytes
      for (const record of queue.takeAll()) {
        this.#settle(record, new RecordRefusedError(topic.name, partition?.id, type, explanation))
      }
      if (partition?.sender?.has(partition)) partition.sender.resized(partition, -sizeBytes)
    }
    if (topic.partitions.some(({ inFlight }) => inFlight)) return
    this.#topics.delete(topic.name)
    this.#cluster.targetTopics.delete(topic.name)
  }

  /** No metadata and no hope of any: records that do not know where to go will not learn it. */
  #failUnroutable(error: unknown): void {
    for (const topic of this.#topics.values()) {
      for (const record of topic.unassigned.takeAll()) {
        this.#settle(record, new DeliveryFailedError(topic.name, undefined, error))
      }
    }
  }

  #senderFor(nodeId: number): BrokerSender {
    let sender = this.#senders.get(nodeId)
    if (sender === undefined) {
      const { lingerMs, batchBytes } = this.#options
      sender = new BrokerSender(
        nodeId,
        this.#cluster,
        { lingerMs, batchBytes, requestBytes, replicationTimeoutMs, logger: this.#logger },
        {
          departing: ({ partition }) => partition.topic.stopFilling(partition),
          answered: (batch, answer) => this.#answered(batch, answer),
          unanswered: (batches, failure) => this.#unanswered(nodeId, batches, failure),
        },
      )
      this.#senders.set(nodeId, sender)
      if (this.#closing !== undefined) sender.flush()
    }
    return sender
  }

  // ---- Time runs out

  /** One timer for all records: it looks for those whose time is over, then sleeps until the next one's is. */
  #expireIn(delayMs: number): void {
    this.#expiry = setTimeout(() => {
      this.#expiry = undefined
      const oldestMs = this.#expire(performance.now() - this.#options.deliveryTimeoutMs)
      if (oldestMs < Infinity) {
        this.#expireIn(Math.max(1, oldestMs + this.#options.deliveryTimeoutMs - performance.now()))
      }
    }, delayMs)
  }

  /** The caller of this one waits no longer. It stays where it is, and is left out when its turn comes. */
  #giveUp(record: PendingRecord, topicName: string, timeoutMs: number): void {
    if (record.delivery === null) return
    let partition = this.#topics.get(topicName)?.partitions.find(({ queue }) => queue.includes(record))
    let perhapsStored = record.perhapsStored
    for (const sender of this.#senders.values()) {
      const batch = sender.unanswered.find(({ records }) => records.includes(record))
      if (batch === undefined) continue
      partition = batch.partition
      perhapsStored ||= sender.handedOver
    }
    const { id, lastFailure } = partition ?? { id: undefined, lastFailure: undefined }
    this.#settle(record, new DeliveryTimeoutError(topicName, id, timeoutMs, perhapsStored, lastFailure))
  }

  /** Fails what was queued at `untilMs` or before; returns when the oldest of the rest was queued. */
  #expire(untilMs: number): number {
    const { deliveryTimeoutMs } = this.#options
    let oldestMs = Infinity
    for (const sender of this.#senders.values()) {
      for (const { partition, records } of sender.unanswered) {
        const { topic, id } = partition
        for (const record of records) {
          if (record.delivery === null) continue
          if (record.queuedAtMs > untilMs) {
            oldestMs = Math.min(oldestMs, record.queuedAtMs)
            break
          }
          const perhapsStored = record.perhapsStored || sender.handedOver
          this.#settle(
            record,
            new DeliveryTimeoutError(topic.name, id, deliveryTimeoutMs, perhapsStored, partition.lastFailure),
          )
        }
      }
    }
    for (const topic of this.#topics.values()) {
      for (const [queue, partition] of queuesOf(topic)) {
        const sizeBytes = queue.sizeBytes
        for (const record of queue.takeQueuedUntil(untilMs)) {
          const { perhapsStored } = record
          const cause = partition?.lastFailure
          this.#settle(
            record,
            new DeliveryTimeoutError(topic.name, partition?.id, deliveryTimeoutMs, perhapsStored, cause),
          )
        }
        if (partition?.sender?.has(partition))
          partition.sender.resized(partition, queue.sizeBytes - sizeBytes)
        oldestMs = Math.min(oldestMs, queue.oldest?.queuedAtMs ?? Infinity)
      }
    }
    return oldestMs
  }
}

/** Not in the answer at all: it was asked for before this topic was wanted. */
const noTopicMetadata = { topicErrorCode: 5, partitionMetadata: [] }

function brokerIdsOf({ brokers }: BrokerMetadata): ReadonlySet<number> {
  return new Set(brokers.map(({ nodeId }) => nodeId))
}

function isServed({ queue, leader }: Partition): boolean {
  return queue.length === 0 || leader !== noLeader
}

function queuesOf(topic: Topic): [RecordQueue, Partition | undefined][] {
  return [
    [topic.unassigned, undefined],
    ...topic.partitions.map((partition): [RecordQueue, Partition] => [partition.queue, partition]),
  ]
}

function refusal({ topic, id }: Partition, { sizeBytes }: PendingRecord, type: string): KafkaConfigError {
  return type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE'
    ? new RecordTooLargeError(topic.name, sizeBytes, `the limit of the topic (${type})`)
    : new RecordRefusedError(topic.name, id, type, 'the broker does not take this record')
}
