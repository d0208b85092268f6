/** The topics of the aggregate types: created when the first row of a type comes, or the reason why that cannot be. */
import { outboxTopicSpec } from '@kafka-pattern/events'
import { TopicSetupError, ensureTopics } from '@kafka-pattern/kafka-config'
import { nextDelayMs, untilItWorks } from '@kafka-pattern/retry'
import { setTimeout as delay } from 'node:timers/promises'
import { unfitForTopic } from './outbox-row.ts'
import { refusedPolicy } from './outage.ts'
import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from '@kafka-pattern/service-runtime'

export interface EventTopicsOptions {
  readonly kafka: Kafka
  readonly logger: Logger
  readonly partitions: number
  readonly replicationFactor: number
  /** null: every type that Kafka can name a topic after. */
  readonly aggregateTypes: ReadonlySet<string> | null
  /** Of the creation of a topic that the broker refuses. */
  readonly maxAttempts: number
  /** The end of the service. */
  readonly stopping: AbortSignal
}

export interface Refusal {
  readonly reason: string
  readonly attempts: number
}

/** A broker that refused a topic is not asked again for so long: thousands of rows may want it. */
const refusalHoldsMs = 10_000

/** Somebody has to do something, and may look at the log long after it began. */
const remindEveryMs = 60_000

export class EventTopics {
  readonly #options: EventTopicsOptions
  readonly #known = new Map<string, Promise<Refusal | null>>()
  readonly #waited = new Set<string>()

  constructor(options: EventTopicsOptions) {
    this.#options = options
  }

  /**
   * null: there is a topic for it. Waits while brokers are away, while the rights on the topic are missing, which a person may have taken for a
   * while, and while it cannot be looked up for a reason that nobody knows.
   * @throws TopicSetupError when the reason is not the topic: the client's credentials or certificate, say
   * @throws AbortError
   */
  async refusalOf(aggregatetype: string, signal: AbortSignal): Promise<Refusal | null> {
    const unfit = this.#unfit(aggregatetype)
    if (unfit !== null) return { reason: unfit, attempts: 1 }
    let known = this.#known.get(aggregatetype)
    if (known === undefined) {
      known = this.#create(aggregatetype)
      this.#known.set(aggregatetype, known)
      this.#waited.add(aggregatetype)
      const settled = (): void => void this.#waited.delete(aggregatetype)
      known.then(settled, () => {
        settled()
        this.#known.delete(aggregatetype)
      })
    }
    const refusal = await unlessAborted(this.#unlessStopping(known), signal)
    if (refusal !== null) setTimeout(() => this.#known.delete(aggregatetype), refusalHoldsMs).unref()
    return refusal
  }

  /** Something went wrong with a topic: perhaps it was deleted. */
  forget(): void {
    for (const aggregatetype of this.#known.keys()) {
      // It would be waited for twice.
      if (!this.#waited.has(aggregatetype)) this.#known.delete(aggregatetype)
    }
  }

  #unfit(aggregatetype: string): string | null {
    const { aggregateTypes } = this.#options
    if (aggregateTypes !== null && !aggregateTypes.has(aggregatetype)) {
      return `the aggregate type ${JSON.stringify(aggregatetype)} is not among AGGREGATE_TYPES`
    }
    return unfitForTopic(aggregatetype)
  }

  /** The end of the service cuts a creation short, which is no failure of a lane: each ends by its own signal. */
  #unlessStopping<T>(creation: Promise<T>): Promise<T> {
    return creation.catch((error: unknown) => {
      if (!this.#options.stopping.aborted) throw error
      return new Promise<never>(() => {})
    })
  }

  /** For whoever waits for it: a lane that is given up meanwhile does not take it from the others. */
  async #create(aggregatetype: string): Promise<Refusal | null> {
    const { kafka, logger, partitions, replicationFactor, maxAttempts, stopping: signal } = this.#options
    const spec = { ...outboxTopicSpec(aggregatetype, replicationFactor), partitions }
    let refusals = 0
    let waitedInARow = 0
    const reminder = createReminder(logger)
    for (;;) {
      try {
        await ensureTopics(kafka, [spec], { logger, signal })
        return null
      } catch (error) {
        if (!(error instanceof TopicSetupError)) throw error
        const mayNot = isForbidden(error)
        if (error.isOfTopic && !mayNot) {
          waitedInARow = 0
          reminder.forget()
          if (++refusals >= maxAttempts) return { reason: error.message, attempts: refusals }
        } else if (error.category === 'fatal' && !mayNot) throw error
        else {
          // Nobody knows what it is, or what will be granted, but no broker has refused the topic: its rows are not to be parked for it.
          waitedInARow++
          const what = mayNot
            ? `the rights on ${spec.topic} are missing: grant CREATE, DESCRIBE and WRITE, or list other types in AGGREGATE_TYPES and its rows are parked`
            : 'a topic cannot be looked up, trying on'
          reminder.tell({ err: error, attempts: waitedInARow }, what)
        }
        const policy = mayNot ? untilItWorks : refusedPolicy
        await delay(nextDelayMs(policy, refusals + waitedInARow, 0) ?? 0, undefined, { signal })
      }
    }
  }
}

/** Warns of what is new, and again each minute; meanwhile it says the same at level debug. */
function createReminder(logger: Logger): { tell(fields: object, what: string): void; forget(): void } {
  let warned: { what: string; atMs: number } | null = null
  return {
    tell(fields, what) {
      const nowMs = performance.now()
      const isNews = warned?.what !== what || nowMs - warned.atMs > remindEveryMs
      logger[isNews ? 'warn' : 'debug'](fields, what)
      if (isNews) warned = { what, atMs: nowMs }
    },
    forget() {
      warned = null
    },
  }
}

/** Said of the topic as a whole, or of its creation. */
function isForbidden(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const parts: unknown[] = 'errors' in error && Array.isArray(error.errors) ? error.errors : []
  return [error, ...parts].some(isSaidBy) || isForbidden(error.cause)
}

function isSaidBy(each: unknown): boolean {
  return (
    typeof each === 'object' && each !== null && 'type' in each && each.type === 'TOPIC_AUTHORIZATION_FAILED'
  )
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
