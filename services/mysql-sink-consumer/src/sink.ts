/**
 * The loop that all three modes of delivery share: what a partition brings is gathered while the batch before it is being written,
 * read, and handed to the mode as one row a key.
 * Guarantees: batches of a partition are applied one after the other; a record that cannot be applied is dead-lettered before the
 * position passes it, and only that one; a database or a broker that is away is waited for, and heartbeats go on meanwhile.
 * Which promise a crash leaves standing is the mode's: at-most-once.ts, at-least-once.ts, effectively-once.ts.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { notRetryable } from '@kafka-pattern/dead-letter'
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import { isRetryableMysqlError } from '@kafka-pattern/mysql-config'
import { AbortError, retry, untilItWorks } from '@kafka-pattern/retry'
import { PartitionBuffer, bufferLimits } from './partition-buffer.ts'
import { newestChanges, readRecords } from './read-changes.ts'
import { StatesRefusedError } from './users-replica.ts'
import type { DeliveryMode, Outcome, OwnedPartition } from './delivery.ts'
import type { Batch } from './partition-buffer.ts'
import type { SinkReport } from './sink-report.ts'
import type { DeadLetters } from '@kafka-pattern/dead-letter'
import type { FetchedRecords, GroupConsumer, KafkaRecord, TopicPartition } from '@kafka-pattern/kafka-config'

export interface SinkOptions {
  readonly consumer: GroupConsumer
  readonly mode: DeliveryMode
  readonly deadLetters: DeadLetters<TopicPartition>
  readonly report: SinkReport
  /** Records of a batch, at most. */
  readonly batchSize: number
  /** How long the batches being written may still take when partitions are revoked. Below the rebalance timeout. */
  readonly drainTimeoutMs: number
  /** Told of what nobody waits out: a defect, or a right that was taken away. Its partition stands still, so the service should stop. */
  readonly onDefect: (error: Error) => void
}

export interface Sink {
  /** Resolves when the group has been joined. */
  start(): Promise<void>
  /** Lets the batches that are being written finish, drops what is only gathered, leaves the group. */
  stop(): Promise<void>
}

interface Owned extends OwnedPartition {
  readonly buffer: PartitionBuffer
  highWatermark: string
  /** Everything before it is applied. Null until it is known, which is with the first records where it is the group's. */
  position: string | null
}

export function createSink(options: SinkOptions): Sink {
  const { consumer, mode, deadLetters, report, batchSize, drainTimeoutMs, onDefect } = options
  let owned = new Map<string, Owned>()
  let working: Promise<void>[] = []
  let draining = new AbortController()

  /** The life of a partition: from its position on, batch after batch, until it is given up. */
  async function work(partition: Owned, signal: AbortSignal): Promise<void> {
    let isOwned = await begin(partition, signal)
    while (isOwned) {
      const batch = await partition.buffer.next(signal)
      if (batch === null) return
      const from = partition.position ?? batch.firstOffset
      const outcome = await apply(partition, batch, from, signal)
      if (outcome.state === 'not owned') return
      if (outcome.state === 'overtaken') {
        report.overtaken(partition, from)
        isOwned = await begin(partition, signal)
      }
    }
  }

  /**
   * Nothing is delivered until the position is known; what came before is of an earlier one.
   * Returns whether the partition is still this process's.
   */
  async function begin(partition: Owned, signal: AbortSignal): Promise<boolean> {
    consumer.pause(partition)
    const position = await untilDone(partition, signal, () => mode.findPosition(partition))
    if (position.state === 'not owned' || signal.aborted) return false
    partition.buffer.clear()
    partition.position = position.state === 'at' ? position.offset : null
    if (position.state === 'at') consumer.seek(partition, position.offset)
    consumer.resume(partition)
    return true
  }

  /** Sees every record of the batch through: applied, made superfluous by a newer one, or dead-lettered. */
  async function apply(partition: Owned, batch: Batch, from: string, signal: AbortSignal): Promise<Outcome> {
    const ended = report.began(partition, batch)
    const read = readRecords(batch.records)
    await giveUpRecords(partition, read.unreadable, signal)
    let { states } = read
    for (;;) {
      const changes = newestChanges(states, read.tombstones)
      try {
        const delivery = { partition, changes, from, to: batch.nextOffset }
        const outcome = await untilDone(partition, signal, () => mode.deliver(delivery))
        if (outcome.state === 'applied') {
          partition.position = batch.nextOffset
          ended({ batch, read, changes, written: outcome.written, lag: lagOf(partition) })
          tellLag(partition)
        }
        return outcome
      } catch (error) {
        if (!(error instanceof StatesRefusedError)) throw error
        await giveUpRecords(partition, error.refused, signal)
        // Older states of the same users count again: a record is applied or dead-lettered for itself.
        const refused = new Set(error.refused.map(({ record }) => record))
        states = states.filter(({ record }) => !refused.has(record))
      }
    }
  }

  /**
   * Dead-letters records that nobody can apply. The partition waits for it: the position may not pass them before.
   * @throws AbortError when the partition is given up before the broker has them all
   */
  async function giveUpRecords(
    partition: Owned,
    failed: readonly { record: KafkaRecord; error: unknown }[],
    signal: AbortSignal,
  ): Promise<void> {
    const outcomes = await Promise.all(
      failed.map(({ record, error }) => deadLetters.publish(partition, record, notRetryable(error), signal)),
    )
    if (outcomes.includes('interrupted')) throw new AbortError(signal.reason)
  }

  /** Waits for whatever comes back by itself; an outage is never counted against a record. */
  function untilDone<T>(partition: Owned, signal: AbortSignal, what: () => Promise<T>): Promise<T> {
    return retry(what, {
      policy: untilItWorks,
      isRetryable: comesBack,
      signal,
      onRetry: info => report.waiting(partition, info),
    })
  }

  function take(partitions: readonly TopicPartition[], assignment: number): void {
    draining = new AbortController()
    const { signal } = draining
    const limits = bufferLimits(batchSize, partitions.length)
    owned = new Map(
      partitions.map(each => {
        const backpressure = { pause: () => consumer.pause(each), resume: () => consumer.resume(each) }
        const buffer = new PartitionBuffer(limits, backpressure)
        return [nameOf(each), { ...each, assignment, buffer, highWatermark: '0', position: null }]
      }),
    )
    working = Array.from(owned.values(), partition =>
      work(partition, signal).catch((error: unknown) => {
        // Given up while it waited: what was not applied is its next owner's.
        if (error instanceof AbortError) return
        onDefect(error instanceof Error ? error : new Error(String(error)))
      }),
    )
  }

  /** Hands a fetch to its partition and returns at once: no partition waits for another one's work, nor do the heartbeats. */
  function collect(fetched: FetchedRecords): void {
    const owner = owned.get(nameOf(fetched))
    if (owner?.assignment !== fetched.assignment) return
    owner.highWatermark = fetched.highWatermark
    owner.position ??= fetched.records[0]!.offset
    tellLag(owner)
    owner.buffer.add(fetched)
  }

  /**
   * With each fetch, too: while the database is away nothing is applied, and the lag shows that. A full partition is not fetched either;
   * its lag is then that of the last fetch.
   */
  function tellLag(partition: Owned): void {
    // A batch may be applied after its partition was given up, and then the lag is the next owner's to tell.
    if (owned.get(nameOf(partition)) === partition) report.behind(partition, lagOf(partition))
  }

  /** All partitions are given up: batches that are being written may finish within the limit. */
  async function giveUp(): Promise<void> {
    draining.abort()
    const limit = new AbortController()
    await Promise.race([Promise.all(working), delay(drainTimeoutMs, undefined, { signal: limit.signal })])
    limit.abort()
    for (const partition of owned.values()) report.gaveUp(partition)
    owned.clear()
  }

  return {
    start: () => consumer.start({ onAssigned: take, onRecords: collect, onRevoked: giveUp }),
    stop: () => consumer.stop(),
  }
}

/** Whether the same thing works later without anybody doing anything. */
function comesBack(error: unknown): boolean {
  return isRetryableMysqlError(error) || classifyKafkaError(error) === 'retryable'
}

function lagOf({ highWatermark, position }: Owned): number {
  return Math.max(0, Number(BigInt(highWatermark) - BigInt(position ?? highWatermark)))
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
