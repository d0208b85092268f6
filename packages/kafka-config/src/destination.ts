/** The topics and partitions that records are sent to, as one producer knows them. State only; it decides nothing. */
import type { BrokerSender } from './broker-sender.ts'
import { nextStickyPartition, partitionForKey } from './partitioner.ts'
import { RecordQueue } from './record-accumulator.ts'
import type { BatchLimit, WaitingPartition } from './record-accumulator.ts'

/** No broker leads the partition now: its records wait, those of other partitions do not. */
export const noLeader = -1

export class Partition implements WaitingPartition {
  readonly topic: Topic
  readonly id: number
  readonly queue = new RecordQueue()
  /** Node id of the broker that takes its records, or `noLeader`. */
  leader = noLeader
  /** The sender for that broker. */
  sender: BrokerSender | undefined
  limit: BatchLimit
  /** A request with records of this partition is unanswered; nothing else of it may be sent until then. */
  inFlight = false
  /** Runs while the partition pauses after an error of its own. */
  pause: NodeJS.Timeout | undefined
  /** Errors in a row, for the length of the pause. */
  failures = 0
  lastFailure: unknown

  constructor(topic: Topic, id: number, batchLimitBytes: number) {
    this.topic = topic
    this.id = id
    this.limit = { nextBytes: batchLimitBytes, mostBytes: batchLimitBytes }
  }

  get batchLimitBytes(): number {
    return this.limit.nextBytes
  }
}

export class Topic {
  readonly name: string
  /** Empty until the first metadata with this topic arrived; until then records wait in `unassigned`. */
  readonly partitions: Partition[] = []
  readonly unassigned = new RecordQueue()
  /** Set while the brokers say that there is no such topic. */
  unknownSinceMs: number | undefined
  /** Set while the brokers name fewer partitions than were known. */
  shrunkSinceMs: number | undefined
  /** The partition that is being filled with records without a key. */
  #sticky: Partition | undefined

  constructor(name: string) {
    this.name = name
  }

  /** The partition for a key; for null the one that is being filled, until it has `batchBytes` or was sent. */
  partitionFor(key: string | Buffer | null, batchBytes: number): Partition {
    if (key !== null) return this.partitions[partitionForKey(key, this.partitions.length)]!
    if (this.#sticky === undefined || this.#sticky.queue.sizeBytes >= batchBytes) {
      const leaders = this.partitions.map(({ leader }) => leader)
      this.#sticky = this.partitions[nextStickyPartition(leaders, this.#sticky?.id, Math.random)]!
    }
    return this.#sticky
  }

  /** The next record without a key goes to another partition. */
  stopFilling(partition: Partition): void {
    if (this.#sticky === partition) this.#sticky = undefined
  }
}
