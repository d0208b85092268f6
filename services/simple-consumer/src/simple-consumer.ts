/**
 * Lesson: reading a topic as it happens, alone (broadcast) or with others (a shared consumer group).
 * Guarantees: broadcast: every process sees every record of every partition that is produced after it said `ready`, goes on
 * where it was after an outage, commits nothing and leaves nothing on the broker. Shared: each record goes to one member,
 * and is committed only after it was printed, so that a crash repeats lines but never skips one (at least once).
 * Does not: keep anything across restarts in broadcast mode: what was produced while it was away is not for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { classifyKafkaError, createGroupConsumer, deleteGroup } from '@kafka-pattern/kafka-config'
import { recordLine } from './record-line.ts'
import type { PrintLines } from './line-output.ts'
import type { Membership } from './membership.ts'
import type { FetchedRecords, Kafka, TopicPartition } from '@kafka-pattern/kafka-config'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

export interface SimpleConsumerOptions {
  readonly kafka: Kafka
  readonly topics: string[]
  readonly membership: Membership
  /** null: records are taken and counted, not printed. */
  readonly print: PrintLines | null
  readonly metrics: Pick<ServiceMetrics, 'recordsTotal' | 'batchSize' | 'lag'>
  readonly logger: Logger
  /** Told when it cannot go on: nobody reads the output, not authorized. Broker outages are waited out. */
  readonly onFatal: (error: Error) => void
}

export interface SimpleConsumer {
  readonly joined: boolean
  /** Resolves when it has joined: whatever is produced from then on is seen. The topics must exist. */
  start(): Promise<void>
  /** Leaves the group; a broadcast group is deleted, since nobody will ever join it again. */
  stop(): Promise<void>
}

/** Few records in memory at a time: a larger fetch is not faster, and four times this takes 60 MB more (measured). */
const fetchBytes = 2 * 1024 * 1024

/** For a reader that has stopped reading neither the group nor a shutdown waits longer; its lines are printed again. */
const printLimitMs = 5_000

export function createSimpleConsumer(options: SimpleConsumerOptions): SimpleConsumer {
  const { kafka, topics, membership, print, metrics, logger, onFatal } = options
  const { mode, groupId } = membership
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics,
    from: 'latest',
    maxBytes: fetchBytes,
    positions: mode === 'shared' ? 'committed' : 'in memory',
    logger,
  })
  consumer.onFatal(onFatal)
  let groupExists = false
  let owned: { readonly partitions: TopicPartition[]; readonly assignment: number } | undefined
  /** Settles, and never fails, when the records in hand are printed and committed. */
  let taking: Promise<void> = Promise.resolve()

  function own(partitions: TopicPartition[], assignment: number): void {
    groupExists = true
    owned = { partitions, assignment }
  }

  /** Before the partitions go, what is being printed is printed and committed: their next owner does not repeat it. */
  async function giveUp(): Promise<void> {
    const printed = new AbortController()
    const limit = sleep(printLimitMs, undefined, { signal: printed.signal }).catch(() => undefined)
    await Promise.race([taking, limit])
    printed.abort()
    // Their lag is their next owner's to tell.
    for (const { topic, partition } of owned?.partitions ?? []) metrics.lag.remove({ topic, partition })
    owned = undefined
  }

  function onRecords(fetched: FetchedRecords): Promise<void> {
    const taken = take(fetched)
    // Without a value: that of the one before would be part of it, and so on back to the first.
    taking = Promise.allSettled([taking, taken]).then(() => undefined)
    return taken
  }

  /** Awaiting is the backpressure: nothing more is fetched while the reader is busy, and heartbeats go on. */
  async function take(fetched: FetchedRecords): Promise<void> {
    if (print !== null) await print(linesOf(fetched))
    if (mode === 'shared') await commit(fetched)
    count(fetched)
  }

  /** After printing, never before: a crash in between prints these records twice, the other way round would lose them. */
  async function commit(fetched: FetchedRecords): Promise<void> {
    const { topic, partition, nextOffset, assignment } = fetched
    try {
      await consumer.commit(topic, partition, nextOffset, assignment)
    } catch (error) {
      if (classifyKafkaError(error) !== 'retryable') throw error
      // The next commit of this partition covers these records too; if there is none, they are printed again.
      logger.warn({ err: error, topic, partition, groupId }, 'printed, but not committed')
    }
  }

  function count(fetched: FetchedRecords): void {
    const { topic, partition, records, nextOffset, highWatermark, assignment } = fetched
    metrics.recordsTotal.inc({ topic, outcome: 'consumed' }, records.length)
    metrics.batchSize.observe({ topic }, records.length)
    if (owned?.assignment !== assignment) return
    const lag = Number(BigInt(highWatermark) - BigInt(nextOffset))
    metrics.lag.set({ topic, partition }, Math.max(0, lag))
  }

  return {
    get joined() {
      return consumer.joined
    },
    start: () => consumer.start({ onAssigned: own, onRecords, onRevoked: giveUp }),
    async stop() {
      await consumer.stop()
      if (mode === 'broadcast' && groupExists) await deleteGroup(kafka, groupId, logger)
    },
  }
}

function* linesOf({ topic, partition, records }: FetchedRecords): Generator<string> {
  for (const record of records) yield recordLine(topic, partition, record)
}
