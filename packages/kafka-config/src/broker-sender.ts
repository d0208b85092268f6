/**
 * Sends the waiting records of the partitions that one broker leads, like the Sender of the Java client.
 *
 * At most one produce request is unanswered at any time, and the next records gather meanwhile. That is what keeps the order
 * within a partition when a request has to be repeated, because this producer is not idempotent: with a second request
 * behind a failed one, the second one's records would be stored first. A repeated request can store its records twice.
 * The longer a broker takes, the more one request carries, so throughput does not suffer from it.
 *
 * One timer, whatever the number of records: for the linger of the oldest, or for the pause after a failure.
 */
import { nextDelayMs } from '@kafka-pattern/retry'
import kafkajs from 'kafkajs'
import type { Broker, Cluster, ProduceResponse } from 'kafkajs'
import type { Logger } from 'pino'
import type { Partition } from './destination.ts'
import { backoffPolicy } from './metadata-refresher.ts'
import { departureMs, fillRequest } from './record-accumulator.ts'
import type { PendingRecord } from './record-accumulator.ts'

/** The records of one partition in one request. */
export interface Batch {
  readonly partition: Partition
  readonly records: PendingRecord[]
}

/** What the broker said about one batch. */
export interface BatchAnswer {
  readonly errorCode: number
  /** Offset of the batch's first record. */
  readonly baseOffset: string
}

export interface BrokerSenderOptions {
  lingerMs: number
  batchBytes: number
  requestBytes: number
  /** How long the broker may wait for its replicas before it answers REQUEST_TIMED_OUT. */
  replicationTimeoutMs: number
  logger: Logger
}

/** A request that got no answer. */
export interface RequestFailure {
  readonly error: unknown
  /** The broker may have it all the same. */
  readonly sent: boolean
  /** How many in a row, at this broker. */
  readonly failures: number
}

export interface BrokerSenderEvents {
  departing(batch: Batch): void
  answered(batch: Batch, answer: BatchAnswer): void
  unanswered(batches: readonly Batch[], failure: RequestFailure): void
}

export class BrokerSender {
  readonly nodeId: number
  readonly #cluster: Cluster
  readonly #options: BrokerSenderOptions
  readonly #events: BrokerSenderEvents
  readonly #waiting = new Set<Partition>()
  #waitingBytes = 0
  #lingerUntilMs = Infinity
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #unanswered: readonly Batch[] = []
  #handedOver = false
  #state: 'ready' | 'awaiting answer' | 'pausing' | 'stopped' = 'ready'
  #failures = 0
  #flushing = false

  constructor(nodeId: number, cluster: Cluster, options: BrokerSenderOptions, events: BrokerSenderEvents) {
    this.nodeId = nodeId
    this.#cluster = cluster
    this.#options = options
    this.#events = events
  }

  /** The last request to this broker got no answer, and nothing has reached it since. */
  get failing(): boolean {
    return this.#failures > 0
  }

  /** A request is on its way. */
  get awaitsAnswer(): boolean {
    return this.#state === 'awaiting answer'
  }

  /** Nothing waits and nothing is on its way. */
  get idle(): boolean {
    return this.#waiting.size === 0 && !this.awaitsAnswer
  }

  /** The batches of the request that is on its way, or about to be while a connection is made. */
  get unanswered(): readonly Batch[] {
    return this.#unanswered
  }

  /** That request was handed over to the network: the broker may have it. */
  get handedOver(): boolean {
    return this.#handedOver
  }

  has(partition: Partition): boolean {
    return this.#waiting.has(partition)
  }

  /** The partition has records and is free to be sent. */
  add(partition: Partition): void {
    const { oldest, sizeBytes } = partition.queue
    if (oldest === undefined || this.#waiting.has(partition)) return
    this.#waiting.add(partition)
    this.#waitingBytes += sizeBytes
    this.#lingerUntilMs = Math.min(this.#lingerUntilMs, oldest.queuedAtMs + this.#options.lingerMs)
    this.#arrangeDeparture()
  }

  /** Records were added to, or taken out of, the queue of a partition that waits here. */
  resized(partition: Partition, byBytes: number): void {
    this.#waitingBytes += byBytes
    if (partition.queue.length === 0) this.#waiting.delete(partition)
    else if (byBytes > 0) this.#arrangeDeparture()
  }

  /** Another broker leads the partition now. */
  remove(partition: Partition): void {
    if (this.#waiting.delete(partition)) this.#waitingBytes -= partition.queue.sizeBytes
  }

  /** From now on nothing lingers. */
  flush(): void {
    this.#flushing = true
    this.#arrangeDeparture()
  }

  /** Sends nothing more and leaves no timer behind. */
  stop(): void {
    this.#state = 'stopped'
    this.#cancelTimer()
    clearImmediate(this.#immediate)
  }

  #arrangeDeparture(): void {
    if (this.#state !== 'ready' || this.#immediate !== undefined) return
    const departAtMs = departureMs({
      sizeBytes: this.#waitingBytes,
      lingerUntilMs: this.#lingerUntilMs,
      batchBytes: this.#options.batchBytes,
      flushing: this.#flushing,
    })
    if (departAtMs === Infinity) return
    // A timer that runs already is never late: the oldest record started it.
    if (departAtMs > 0 && this.#timer !== undefined) return
    const inMs = departAtMs === 0 ? 0 : departAtMs - performance.now()
    if (inMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#depart()
      }, inMs)
    } else {
      // After the callbacks of this turn: a burst of sends leaves together, whatever its size.
      this.#immediate = setImmediate(() => {
        this.#immediate = undefined
        this.#depart()
      })
    }
  }

  #depart(): void {
    this.#cancelTimer()
    if (this.#state !== 'ready' || this.#waiting.size === 0) return
    const filled = fillRequest(this.#waiting, this.#options.requestBytes)
    for (const { partition, records } of filled) {
      // Whoever has more to send gets in line behind those who had no turn.
      this.#waiting.delete(partition)
      this.#waitingBytes -= partition.queue.sizeBytes
      for (const { sizeBytes } of records) this.#waitingBytes -= sizeBytes
      partition.inFlight = true
      this.#events.departing({ partition, records })
    }
    // What is left behind for lack of room has waited long enough.
    this.#lingerUntilMs = this.#waiting.size > 0 ? 0 : Infinity
    void this.#send(filled)
  }

  async #send(filled: readonly Batch[]): Promise<void> {
    this.#state = 'awaiting answer'
    this.#unanswered = filled
    this.#handedOver = false
    let broker: Broker | undefined
    let response: ProduceResponse = { topics: [] }
    try {
      broker = await this.#cluster.findBroker({ nodeId: this.nodeId })
      // A connection can take longer than records may wait: what was reported as not stored must not be stored now.
      this.#unanswered = filled.map(withoutSettled)
      const topicData = toTopicData(this.#unanswered)
      if (topicData.length > 0) {
        this.#handedOver = true
        response = await this.#produce(broker, topicData)
      }
    } catch (error) {
      this.#failed(error, broker)
      return
    }
    this.#answered(response)
  }

  async #produce(broker: Broker, topicData: TopicData): Promise<ProduceResponse> {
    try {
      return await broker.produce({ acks: -1, timeout: this.#options.replicationTimeoutMs, topicData })
    } catch (error) {
      // The patched kafkajs puts the whole response on the error that it makes of the first refused partition.
      if (error instanceof kafkajs.KafkaJSProtocolError && error.response !== undefined) return error.response
      throw error
    }
  }

  #answered(response: ProduceResponse): void {
    const batches = this.#unanswered
    const answers = answersByPartition(response)
    this.#unanswered = []
    this.#becomeReady()
    for (const batch of batches) {
      const { partition, records } = batch
      partition.inFlight = false
      const answer = answers.get(partition.topic.name)?.get(partition.id)
      this.#events.answered(batch, answer ?? (records.length === 0 ? nothingSent : missingAnswer))
    }
    this.#arrangeDeparture()
  }

  #failed(error: unknown, broker: Broker | undefined): void {
    const batches = this.#unanswered
    if (error instanceof kafkajs.KafkaJSRequestTimeoutError) void this.#disconnect(broker)
    this.#unanswered = []
    this.#pauseAfterFailure()
    for (const { partition } of batches) partition.inFlight = false
    this.#events.unanswered(batches, { error, sent: this.#handedOver, failures: this.#failures })
  }

  /** A connection that does not answer may be dead without the system knowing: the next attempt gets a new one. */
  async #disconnect(broker: Broker | undefined): Promise<void> {
    try {
      await broker?.disconnect()
    } catch (error) {
      this.#options.logger.debug({ err: error, nodeId: this.nodeId }, 'disconnecting failed')
    }
  }

  /**
   * Pauses, then tries again: with records if any wait, else by asking the broker for metadata, so that a producer that
   * nobody uses while its broker is away notices when it is back.
   */
  #pauseAfterFailure(): void {
    this.#failures++
    if (this.#state === 'stopped') return
    this.#state = 'pausing'
    this.#cancelTimer()
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#state = 'ready'
        if (this.#waiting.size > 0) this.#depart()
        else void this.#probe()
      },
      nextDelayMs(backoffPolicy, this.#failures, 0) ?? 0,
    )
  }

  async #probe(): Promise<void> {
    this.#state = 'awaiting answer'
    try {
      const broker = await this.#cluster.findBroker({ nodeId: this.nodeId })
      await broker.metadata([...this.#cluster.targetTopics])
      this.#becomeReady()
      this.#arrangeDeparture()
    } catch (error) {
      this.#pauseAfterFailure()
      this.#events.unanswered([], { error, sent: false, failures: this.#failures })
    }
  }

  #becomeReady(): void {
    if (this.#failures > 0) this.#options.logger.info({ nodeId: this.nodeId }, 'the broker answers again')
    this.#failures = 0
    if (this.#state !== 'stopped') this.#state = 'ready'
  }

  #cancelTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** All records of the batch had settled before the request left. */
const nothingSent: BatchAnswer = { errorCode: 0, baseOffset: '-1' }

/** A broker that leaves a partition out of its answer: the records go again, they may be stored. */
const missingAnswer: BatchAnswer = { errorCode: 13, baseOffset: '-1' }

type TopicData = Parameters<Broker['produce']>[0]['topicData']

/** Records settle before their answer only when their time is over. */
function withoutSettled(batch: Batch): Batch {
  if (batch.records.every(({ delivery }) => delivery !== null)) return batch
  return { partition: batch.partition, records: batch.records.filter(({ delivery }) => delivery !== null) }
}

function toTopicData(batches: readonly Batch[]): TopicData {
  const topics = new Map<string, TopicData[number]>()
  for (const { partition, records } of batches) {
    if (records.length === 0) continue
    const { name } = partition.topic
    let topic = topics.get(name)
    if (topic === undefined) topics.set(name, (topic = { topic: name, partitions: [] }))
    topic.partitions.push({ partition: partition.id, messages: records })
  }
  return [...topics.values()]
}

function answersByPartition(response: ProduceResponse): Map<string, Map<number, BatchAnswer>> {
  return new Map(
    response.topics.map(({ topicName, partitions }) => [
      topicName,
      new Map(
        partitions.map(({ partition, errorCode, baseOffset = '-1' }) => [
          partition,
          { errorCode, baseOffset },
        ]),
      ),
    ]),
  )
}
