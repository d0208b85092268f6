import type { Kafka, KafkaMessage } from 'kafkajs'
import type { Logger } from 'pino'

/** A record as it was fetched. `key` and `value` are Buffers or null, `offset` and `timestamp` decimal strings. */
export type KafkaRecord = KafkaMessage

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Records of one partition, in offset order, never empty. */
export interface FetchedRecords {
  readonly topic: string
  readonly partition: number
  readonly records: KafkaRecord[]
  /** Offset that the next record written to this partition would have got, at the time of the fetch. */
  readonly highWatermark: string
  /** Number of the assignment these records belong to; `commit` wants it back. */
  readonly assignment: number
}

export interface GroupConsumerHandlers {
  /**
   * Takes over the records; the position moves past them when this returns. While it is awaited nothing else is
   * delivered, so return at once and use `pause` for backpressure. Must not throw: an error here is fatal.
   */
  onRecords(fetched: FetchedRecords): Promise<void> | void
  /** After each join, before the first record: the place to `seek` when positions are kept elsewhere. */
  onAssigned?(partitions: TopicPartition[], assignment: number): Promise<void> | void
  /**
   * All partitions are about to be given up (eager protocol). Awaited before the group is rejoined and before
   * leaving on stop: finish and commit what is in flight, drop the rest.
   */
  onRevoked?(): Promise<void> | void
}

export interface GroupConsumerOptions {
  groupId: string
  /** Static membership (KIP-345): a restart within the session timeout keeps the partitions and disturbs nobody. */
  groupInstanceId?: string
  topics: string[]
  /** Where to begin on a partition for which there is no position yet. */
  from: 'latest' | 'earliest'
  /**
   * Where positions live. 'committed' (default): in the group, moved by `commit` alone; records delivered but not
   * committed come again after a rebalance. 'in memory': nothing is ever committed; after a rebalance or a
   * reconnect it goes on behind the last record delivered, and a new process begins at `from` again.
   */
  positions?: 'committed' | 'in memory'
  logger: Logger
  /** A member that sends no heartbeat for so long is thrown out of the group. Default 30,000. */
  sessionTimeoutMs?: number
  /** How long the group waits for its members in a rebalance, so the limit of `onRevoked`. Default 60,000. */
  rebalanceTimeoutMs?: number
  /** How long the broker holds back an empty answer to a fetch. Default 1,000. */
  maxWaitMs?: number
  /** Limit of one fetch from one broker. Default 8 MiB. */
  maxBytes?: number
  /** Limit of one partition within one fetch. Default 1 MiB. */
  maxBytesPerPartition?: number
}

export type CommitOutcome = 'committed' | 'no longer owned'

export interface GroupConsumer {
  /** Resolves when first joined with all start positions fixed: a record produced after that is delivered. */
  start(handlers: GroupConsumerHandlers): Promise<void>
  /** Member of the group, with partitions assigned (perhaps none). */
  readonly joined: boolean
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /** The next record delivered from this partition is the one at `offset`. */
  seek(partition: TopicPartition, offset: string): void
  /**
   * Commits `nextOffset` (last processed + 1). Never commits for a partition that is not owned or under an
   * assignment that is over: that is 'no longer owned', and whoever owns it now processes the records again.
   */
  commit(topic: string, partition: number, nextOffset: string, assignment: number): Promise<CommitOutcome>
  /** Told once, when the consumer cannot go on: fenced by another instance, not authorized, a handler threw. */
  onFatal(listener: (error: Error) => void): void
  /** Awaits `onRevoked`, leaves the group, disconnects. Bounded, also when no broker answers. */
  stop(): Promise<void>
}

/** Not implemented yet. */
export function createGroupConsumer(_kafka: Kafka, _options: GroupConsumerOptions): GroupConsumer {
  throw new Error('not implemented')
}
