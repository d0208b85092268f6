/**
 * Lesson: consuming in batches, with offsets committed by hand.
 * Guarantees: every record is handled or dead-lettered before an offset after it is committed; the records of a partition are
 * handled in order; a slow, retrying or blocked partition never holds another one back; what a crash, a rebalance or
 * a shutdown repeats is at most the one batch of each partition that was in process.
 * Does not: handle a record exactly once (the handler must be idempotent), nor hold a key back behind its dead letter.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { AbortError, retry, untilItWorks } from '@kafka-pattern/retry'
import { PartitionBuffer } from './partition-buffer.ts'
import { processBatch } from './process-batch.ts'
import type { Batch, BatchLimits } from './batch-collector.ts'
import type { BatchPlace, BatchTools, Stop } from './process-batch.ts'
import type { FetchedRecords, GroupConsumer, TopicPartition } from '@kafka-pattern/kafka-config'

export interface BatchConsumerOptions extends BatchTools {
  readonly consumer: GroupConsumer
  readonly limits: BatchLimits
  /** How long the batches in process may still take when partitions are revoked. Below the rebalance timeout. */
  readonly drainTimeoutMs: number
  /** Told of a defect in this code: its partition stands still from then on, so the service should stop. */
  readonly onDefect: (error: Error) => void
}

export interface BatchConsumer {
  /** Resolves when the group has been joined. */
  start(): Promise<void>
  /** Finishes and commits the batches in process, drops what is only collected, leaves the group. */
  stop(): Promise<void>
}

/** One partition for as long as this process owns it. */
interface Owned extends TopicPartition {
  readonly assignment: number
  /** Where the next batch collects while one is in process. */
  readonly buffer: PartitionBuffer
  highWatermark: string
  /** Everything before it is done: the last commit, or else the first record that was fetched. */
  doneUpTo: string | null
}

export function createBatchConsumer(options: BatchConsumerOptions): BatchConsumer {
  const { consumer, limits, drainTimeoutMs, report, onDefect } = options
  let owned = new Map<string, Owned>()
  let working: Promise<void>[] = []
  let draining = new AbortController()
  let abandoned = new AbortController()
  let batches = 0

  /** The life of a partition: take a batch, see each of its records through, commit; until the partition is given up. */
  async function work(partition: Owned, stop: Stop): Promise<void> {
    for (;;) {
      // One batch a turn of the event loop: while this partition works, the commit of another one travels.
      await nextTurn()
      const batch = await partition.buffer.next(stop.draining)
      if (batch === null) return
      const place = { topic: partition.topic, partition: partition.partition, batch: ++batches }
      const ended = report.began(place, batch)
      const outcome = await processBatch(batch, place, stop, options)
      ended(outcome.state)
      const committed = await commitDone(partition, place, batch, outcome.nextOffset, stop)
      if (!committed || outcome.state === 'interrupted') return
    }
  }

  async function commitDone(
    owner: Owned,
    place: BatchPlace,
    batch: Batch,
    nextOffset: string,
    stop: Stop,
  ): Promise<boolean> {
    const { topic, partition, assignment } = owner
    try {
      if (nextOffset === batch.firstOffset) return false
      const outcome = await retry(() => consumer.commit(topic, partition, nextOffset, assignment), {
        policy: untilItWorks,
        signal: stop.abandoned,
        onRetry: info => report.commitRefused(place, info),
      })
      if (outcome !== 'committed') return false
      owner.doneUpTo = nextOffset
      tellLag(owner)
      report.committed(place, batch, nextOffset)
      return true
    } catch (error) {
      // Abandoned: the next owner of the partition handles these records again, and its commits count.
      if (error instanceof AbortError) return false
      throw error
    }
  }

  function take(partitions: readonly TopicPartition[], assignment: number): void {
    draining = new AbortController()
    abandoned = new AbortController()
    const stop = { draining: draining.signal, abandoned: abandoned.signal }
    owned = new Map(partitions.map(each => [nameOf(each), own(each, assignment)]))
    working = Array.from(owned.values(), each => work(each, stop).catch(onDefect))
  }

  function own(partition: TopicPartition, assignment: number): Owned {
    const backpressure = { pause: () => consumer.pause(partition), resume: () => consumer.resume(partition) }
    return {
      ...partition,
      assignment,
      buffer: new PartitionBuffer(limits, backpressure),
      highWatermark: '0',
      doneUpTo: null,
    }
  }

  /** Hands a fetch to its partition and returns at once: no partition waits for another one's work, nor do the heartbeats. */
  function collect(fetched: FetchedRecords): void {
    const { topic, partition, records, highWatermark, assignment } = fetched
    const owner = owned.get(nameOf({ topic, partition }))
    if (owner?.assignment !== assignment) return
    owner.highWatermark = highWatermark
    owner.doneUpTo ??= records[0]!.offset
    tellLag(owner)
    owner.buffer.add(fetched)
  }

  /**
   * With each fetch, too: a partition that hangs commits nothing, and its lag shows that. A full one is not fetched either; its lag is then
   * that of the last fetch.
   */
  function tellLag(owner: Owned): void {
    const { highWatermark, doneUpTo } = owner
    // A commit may end after the partition was given up, and its lag is the next owner's to tell.
    if (doneUpTo === null || owned.get(nameOf(owner)) !== owner) return
    report.behind(owner, Math.max(0, Number(BigInt(highWatermark) - BigInt(doneUpTo))))
  }

  /** All partitions are given up: what is in process may finish within the limit; later results are not committed. */
  async function giveUp(): Promise<void> {
    draining.abort()
    const limit = new AbortController()
    await Promise.race([Promise.all(working), delay(drainTimeoutMs, undefined, { signal: limit.signal })])
    limit.abort()
    abandoned.abort()
    for (const partition of owned.values()) report.gaveUp(partition)
    owned.clear()
  }

  return {
    start: () => consumer.start({ onAssigned: take, onRecords: collect, onRevoked: giveUp }),
    stop: () => consumer.stop(),
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
