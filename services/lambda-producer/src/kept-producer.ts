/**
 * One connected producer for all invocations of a process. Whoever comes first connects, whoever comes meanwhile waits for the
 * same connection, and a connection that failed is forgotten, so that the next invocation begins anew. One that is too old is
 * replaced before it is used: while a function is frozen nobody tells it that its connection is gone. Its age counts, not how long
 * it was unused: the producer connects to every broker that leads a partition, and one of three may rest for a quarter of an hour
 * while there is a record every four minutes. None rests for longer than it exists.
 */
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import type { GatheringProducer, OutgoingRecord, RecordMetadata } from '@kafka-pattern/kafka-config'
import type { Logger } from '@kafka-pattern/service-runtime'

export interface KeptProducer {
  /** Connects, for at most so long. Resolves also when that fails: `send` tries again, and says so. */
  open(timeoutMs: number): Promise<void>
  /**
   * Resolves when the record is stored.
   * @param deadlineMs on the clock of `performance.now()`; whatever happens, the promise settles by then
   * @throws NoConnectionError until then nobody could be asked; the record was not sent
   * @throws what GatheringProducer.send throws, and what connecting throws if trying again cannot help
   */
  send(record: OutgoingRecord, deadlineMs: number): Promise<RecordMetadata>
}

/** There was no connection before the deadline. `cause` is why the last attempt failed, if one did. */
export class NoConnectionError extends Error {
  constructor(cause?: unknown) {
    super(`no connection to Kafka in time${cause instanceof Error ? `: ${cause.message}` : ''}`, { cause })
    this.name = 'NoConnectionError'
  }
}

export interface KeptProducerOptions {
  /** Resolves with a producer that is connected; gives up when the signal is aborted. */
  readonly connect: (signal: AbortSignal) => Promise<GatheringProducer>
  readonly maxAgeMs: number
  readonly logger: Logger
}

type Connection = {
  readonly producer: Promise<GatheringProducer>
  readonly abandon: AbortController
  /** Of the wall clock: the monotonic one may stand still while the machine of a function does. */
  readonly madeAtMs: number
}

const pauseMs = 200

export function keepProducer({ connect, maxAgeMs, logger }: KeptProducerOptions): KeptProducer {
  let current: Connection | null = null

  function connected(): Promise<GatheringProducer> {
    if (current !== null && isTooOld(current)) abandon(current)
    if (current === null) {
      const begun = new AbortController()
      const connection = { producer: connect(begun.signal), abandon: begun, madeAtMs: Date.now() }
      connection.producer.catch(() => {
        if (current === connection) current = null
      })
      current = connection
    }
    return current.producer
  }

  /** A clock that was set back does not tell how old it is: it would look young for as long as the clock was set back. */
  function isTooOld({ madeAtMs }: Connection): boolean {
    const ageMs = Date.now() - madeAtMs
    return ageMs > maxAgeMs || ageMs < 0
  }

  function abandon(connection: Connection): void {
    logger.info(
      { ageMs: Date.now() - connection.madeAtMs },
      'the connection may be too old, making a new one',
    )
    current = null
    connection.abandon.abort()
    connection.producer
      .then(producer => producer.close())
      .catch((error: unknown) => logger.debug({ err: error }, 'the abandoned connection did not close'))
  }

  async function connectedBy(deadlineMs: number): Promise<GatheringProducer> {
    let failure: unknown
    while (performance.now() < deadlineMs) {
      try {
        return await before(deadlineMs, connected(), () => new NoConnectionError(failure))
      } catch (error) {
        if (error instanceof NoConnectionError || classifyKafkaError(error) !== 'retryable') throw error
        failure = error
      }
      const pause = new Promise(resolve => setTimeout(resolve, pauseMs))
      await before(deadlineMs, pause, () => new NoConnectionError(failure))
    }
    throw new NoConnectionError(failure)
  }

  return {
    async open(timeoutMs) {
      try {
        await connectedBy(performance.now() + timeoutMs)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        logger.warn({ reason }, 'not connected yet, the first invocation tries again')
      }
    },
    async send(record, deadlineMs) {
      const producer = await connectedBy(deadlineMs)
      return producer.send(record, {
        timeoutMs: Math.max(1, Math.floor(deadlineMs - performance.now())),
      })
    },
  }
}

/** What `work` yields, or at the deadline an error in its place; the work itself goes on. */
async function before<T>(deadlineMs: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, deadlineMs - performance.now()))
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
