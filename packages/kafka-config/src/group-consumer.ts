import { setTimeout as sleep } from 'node:timers/promises'
import { nextDelayMs } from '@kafka-pattern/retry'
import type { Kafka, KafkaMessage } from 'kafkajs'
import type { Logger } from 'pino'
import { TopicMissingError } from './consumer-failure.ts'
import { ConsumerSession, leaveApart } from './consumer-session.ts'
import type { ConsumerMemory, SessionContext } from './consumer-session.ts'
import { hasErrorType, reasonOf } from './error-causes.ts'
import { classifyKafkaError } from './errors.ts'
import { siblingKafka } from './kafka.ts'

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
  /**
   * The offset to go on with after all of them. Beyond the last one's successor where something follows that is no record, such as
   * the end of a transaction: who commits this leaves no lag behind.
   */
  readonly nextOffset: string
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
   * reconnect it goes on behind the last record delivered, also when `onRecords` has not returned yet, and a new
   * process begins at `from` again.
   */
  positions?: 'committed' | 'in memory'
  logger: Logger
  /** A member that sends no heartbeat for so long is thrown out of the group. Default 30,000. */
  sessionTimeoutMs?: number
  /** How long the group waits for its members in a rebalance, so the limit of `onRevoked`. Default 60,000. */
  rebalanceTimeoutMs?: number
  /** How long the broker holds back an empty answer to a fetch. Default 1,000. */
  maxWaitMs?: number
  /** Limit of one fetch from one broker. Default 2 MiB: more is not faster (measured), but takes more memory. */
  maxBytes?: number
  /** Limit of one partition within one fetch, so that a fetch brings something of each. Default 512 KiB. */
  maxBytesPerPartition?: number
}

export type CommitOutcome = 'committed' | 'no longer owned'

export interface GroupConsumer {
  /**
   * Resolves when first joined with all start positions fixed: a record produced after that is delivered. Waits for
   * brokers that do not answer; also resolves when `stop` is called meanwhile.
   * @throws TopicMissingError, or what else makes joining hopeless (not authorized, wrong credentials, impossible options)
   */
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
   * Retries for 15 s while the coordinator moves.
   * @throws RetriesExhaustedError, CommitAbandonedError (while stopping), or what the broker says (not authorized)
   */
  commit(topic: string, partition: number, nextOffset: string, assignment: number): Promise<CommitOutcome>
  /**
   * Told once, when a consumer that had joined cannot go on: fenced by another instance, not authorized, a handler
   * threw. Without a listener the error is an unhandled rejection, which ends the process.
   */
  onFatal(listener: (error: Error) => void): void
  /** Awaits `onRevoked`, leaves the group, disconnects. Bounded, also when no broker answers or `onRecords` does not end. */
  stop(): Promise<void>
}

/** Brokers learn of a topic one after another. */
const START_WITHOUT_TOPIC_LIMIT_MS = 5_000

const REJOIN_PAUSES = {
  kind: 'exponential',
  baseMs: 200,
  factor: 2,
  capMs: 5_000,
  jitter: 'none',
  maxAttempts: Infinity,
} as const

/**
 * A consumer of a group that is safe to build on: kafkajs' own does not end cleanly, loses its position, commits for
 * partitions it no longer owns, or dies in a living process, depending on the moment. See consumer-session.ts for
 * what is added to kafkajs; this keeps a session open for as long as the consumer is not stopped.
 *
 * @throws TypeError without topics or group id
 */
export function createGroupConsumer(kafka: Kafka, options: GroupConsumerOptions): GroupConsumer {
  if (options.topics.length === 0) throw new TypeError('a group consumer needs at least one topic')
  if (options.groupId === '') throw new TypeError('a group consumer needs a group id')
  const settings: SessionContext['options'] = {
    positions: 'committed',
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 60_000,
    maxWaitMs: 1_000,
    // Memory is what was fetched and is not handled yet. More per fetch gains a few percent of speed and costs some 40 MB
    // under full load; a single record that is larger still comes (KIP-74).
    maxBytes: 2 * 1024 * 1024,
    maxBytesPerPartition: 512 * 1024,
    ...options,
  }
  const log = options.logger
  const memory: ConsumerMemory = { assignments: 0, positions: undefined, abandonedMemberId: undefined }
  const firstJoin = Promise.withResolvers<void>()
  const fatalListeners: ((error: Error) => void)[] = []
  let fatalError: Error | undefined
  const stopping = new AbortController()
  let session: ConsumerSession | undefined
  let hasJoined = false
  let life: Promise<void> | undefined

  async function live(handlers: GroupConsumerHandlers): Promise<void> {
    const begunAt = performance.now()
    let failures = 0
    let fatalFailure: Error | undefined
    const onReady = (): void => {
      hasJoined = true
      failures = 0
      firstJoin.resolve()
    }
    while (!stopping.signal.aborted) {
      try {
        session = new ConsumerSession(siblingKafka(kafka), { options: settings, handlers, memory, onReady })
        await session.run()
      } catch (error) {
        // kafkajs refuses the options, and will refuse them the next time.
        const isRefused = session === undefined
        session = undefined
        if (stopping.signal.aborted) break
        const failure =
          !hasJoined && performance.now() - begunAt > START_WITHOUT_TOPIC_LIMIT_MS
            ? missingTopic(error)
            : error
        if (isRefused || classifyKafkaError(failure) === 'fatal') {
          fatalFailure = asError(failure)
          break
        }
        failures++
        const delayMs = nextDelayMs(REJOIN_PAUSES, failures, 0) ?? REJOIN_PAUSES.capMs
        // A coordinator that just started or moved answers one or two attempts with "not yet".
        log[failures < 3 ? 'info' : 'warn'](
          { groupId: options.groupId, reason: reasonOf(error), delayMs },
          'not in the consumer group; joining again',
        )
        // Rejects at a stop.
        await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
    // First: whoever hears of the failure ends the process.
    await leaveApart(kafka, { options: settings, memory })
    if (fatalFailure === undefined) firstJoin.resolve()
    else end(fatalFailure)
  }

  function missingTopic(error: unknown): unknown {
    return hasErrorType(error, 'UNKNOWN_TOPIC_OR_PARTITION')
      ? new TopicMissingError(options.topics, error)
      : error
  }

  function end(error: Error): void {
    if (!hasJoined) return firstJoin.reject(error)
    fatalError = error
    // Never a dead consumer in a living process: what nobody listens to becomes an unhandled rejection.
    if (fatalListeners.length === 0) throw error
    for (const listener of fatalListeners) listener(error)
  }

  return {
    async start(handlers) {
      if (life !== undefined) throw new TypeError('a group consumer is started once')
      life = live(handlers)
      await firstJoin.promise
    },
    get joined() {
      return session?.isJoined ?? false
    },
    pause: partition => session?.pause(partition),
    resume: partition => session?.resume(partition),
    seek: (partition, offset) => session?.seek(partition, offset),
    async commit(topic, partition, nextOffset, assignment) {
      return (await session?.commit(topic, partition, nextOffset, assignment)) ?? 'no longer owned'
    },
    onFatal(listener) {
      fatalListeners.push(listener)
      if (fatalError !== undefined) listener(fatalError)
    },
    async stop() {
      stopping.abort()
      await session?.stop()
      await life
    },
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
