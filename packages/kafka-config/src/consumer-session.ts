/**
 * One life of a kafkajs consumer: connect, join, deliver, until it is stopped or kafkajs gives up. What kafkajs
 * leaves open is closed here: commits carry the generation of their own assignment, so that a late one is refused
 * and never moves the offset of a partition that went to somebody else (kafkajs#1046, #1097); records reach the
 * handler only under the assignment they were fetched for; start positions are fixed before the first record.
 * It does not outlive a crash of kafkajs: group-consumer.ts opens the next session.
 */
import { createHash } from 'node:crypto'
import { retry } from '@kafka-pattern/retry'
import { PartitionAssigners } from 'kafkajs'
import type { Assigner, Cluster, Consumer, ConsumerGroupJoinEvent, EachBatchPayload, Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { CommitAbandonedError, HandlerFailedError, isOwnershipLost } from './consumer-failure.ts'
import { hasErrorType, reasonOf } from './error-causes.ts'
import { classifyKafkaError } from './errors.ts'
import type {
  CommitOutcome,
  GroupConsumerHandlers,
  GroupConsumerOptions,
  TopicPartition,
} from './group-consumer.ts'

type Broker = Awaited<ReturnType<Cluster['findBroker']>>

export interface SessionContext {
  readonly options: Required<Omit<GroupConsumerOptions, 'groupInstanceId'>> & { groupInstanceId?: string }
  readonly handlers: GroupConsumerHandlers
  /** Outlives the session, because a reconnect must not move a position. */
  readonly memory: ConsumerMemory
  /** Called after each join, when start positions are fixed and `onAssigned` has returned. */
  onReady(): void
}

/** What of a session's context it takes to leave the group. */
interface MemberContext {
  readonly options: Pick<SessionContext['options'], 'groupId' | 'logger'>
  readonly memory: Pick<ConsumerMemory, 'abandonedMemberId'>
}

/** What a consumer remembers from one session to the next. */
export interface ConsumerMemory {
  assignments: number
  /** Next offset by partition, where it is not the group that keeps it; undefined until first looked up. */
  positions: Map<string, string> | undefined
  /** A dynamic member that may still be in the group: the group would wait for it until its session times out. */
  abandonedMemberId: string | undefined
}

interface Assignment {
  readonly number: number
  readonly memberId: string
  readonly generationId: number
  readonly partitions: TopicPartition[]
  readonly owned: ReadonlySet<string>
  readonly commits: Set<Promise<CommitOutcome>>
  /** The positions that leave with the next commit request. */
  gathering: { positions: Map<string, Position>; outcome: Promise<CommitOutcome> } | undefined
  /** Settles when the commit request under way is answered. */
  underWay: Promise<unknown>
  /** Pending until start positions are fixed and `onAssigned` has returned. */
  settling: Promise<void> | undefined
  revoked: Promise<void> | undefined
}

type Position = TopicPartition & { readonly offset: string }

type End = { how: 'stopped' } | { how: 'failed'; error: unknown }

/** A commit waits for a coordinator that moves to another broker, not for an outage. */
const COMMIT_RETRIES = {
  kind: 'exponential',
  baseMs: 100,
  factor: 2,
  capMs: 1_000,
  jitter: 'none',
  maxAttempts: Infinity,
  maxElapsedMs: 15_000,
} as const

/** For each thing that a broker has to answer while the consumer stops. */
const BROKER_LIMIT_AT_STOP_MS = 5_000

/** One attempt is one broker of the list, and it may be the one that died; the next coordinator takes a second or two. */
const LEAVE_RETRIES = {
  kind: 'fixed',
  delayMs: 200,
  maxAttempts: Infinity,
  maxElapsedMs: BROKER_LIMIT_AT_STOP_MS,
} as const

/** In a rebalance, for which the others wait. Without an answer it joins with what it knows. */
const METADATA_LIMIT_MS = 1_000

/** Heartbeats go out every second; a member that had no answer for so long cannot say that it has joined. */
const SILENCE_LIMIT_MS = 5_000

export class ConsumerSession {
  readonly #context: SessionContext
  readonly #log: Logger
  readonly #consumer: Consumer
  readonly #heartbeatIntervalMs: number
  readonly #end = Promise.withResolvers<End>()
  readonly #stopping = new AbortController()
  readonly #paused = new Set<string>()
  #cluster!: Cluster
  #coordinator: Broker | undefined
  #assignment: Assignment | undefined
  #deliversRecords = true
  #lastHeartbeatAt = 0

  /** @param kafka a client of this session's own (`siblingKafka`) */
  constructor(kafka: Kafka, context: SessionContext) {
    const { options } = context
    this.#context = context
    this.#log = options.logger
    // A rebalance is noticed by the answer to a heartbeat, and all members wait for the last one to notice it.
    this.#heartbeatIntervalMs = Math.min(1_000, Math.floor(options.sessionTimeoutMs / 3))
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      ...(options.groupInstanceId !== undefined && { groupInstanceId: options.groupInstanceId }),
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.rebalanceTimeoutMs,
      heartbeatInterval: this.#heartbeatIntervalMs,
      maxWaitTimeInMs: options.maxWaitMs,
      maxBytes: options.maxBytes,
      maxBytesPerPartition: options.maxBytesPerPartition,
      allowAutoTopicCreation: false,
      // Short troubles are kafkajs' own to ride out, so that they cost no rebalance. Its restart after a crash is
      // not used: it forgets the member id, and it does not happen at all after an error it holds for permanent.
      retry: { initialRetryTime: 200, retries: 5, maxRetryTime: 3_000, restartOnFailure: async () => false },
      partitionAssigners: [
        config => {
          // The public way to the consumer's own connections.
          this.#cluster = config.cluster
          return namedByPartitions(this.#unlessOver(PartitionAssigners.roundRobin(config)), config.cluster)
        },
        // The common ground of members that name different partitions, or of other clients.
        config => this.#unlessOver(PartitionAssigners.roundRobin(config)),
      ],
    })
    const { CRASH, GROUP_JOIN, HEARTBEAT } = this.#consumer.events
    this.#consumer.on(CRASH, ({ payload }) => this.#end.resolve({ how: 'failed', error: payload.error }))
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#takeOver(payload))
    this.#consumer.on(HEARTBEAT, () => (this.#lastHeartbeatAt = performance.now()))
  }

  /** A member with settled positions, heard of by the coordinator a moment ago. */
  get isJoined(): boolean {
    const assignment = this.#assignment
    if (assignment === undefined || assignment.settling || assignment.revoked) return false
    return performance.now() - this.#lastHeartbeatAt < SILENCE_LIMIT_MS + this.#context.options.maxWaitMs
  }

  /** Resolves after `stop`. @throws what ended the session otherwise */
  async run(): Promise<void> {
    const opened = this.#open().catch((error: unknown) => this.#end.resolve({ how: 'failed', error }))
    const end = await this.#end.promise
    this.#silence()
    await this.#revoke()
    await this.#close(opened)
    if (end.how === 'failed') throw end.error
  }

  /** Gives up the partitions as in a rebalance, then ends `run`. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#silence()
    await this.#revoke()
    this.#end.resolve({ how: 'stopped' })
  }

  pause({ topic, partition }: TopicPartition): void {
    if (!this.#owns(topic, partition)) return
    this.#paused.add(keyOf(topic, partition))
    this.#tell(consumer => consumer.pause([{ topic, partitions: [partition] }]))
  }

  resume({ topic, partition }: TopicPartition): void {
    if (!this.#paused.delete(keyOf(topic, partition)) || !this.#deliversRecords) return
    this.#tell(consumer => consumer.resume([{ topic, partitions: [partition] }]))
  }

  seek({ topic, partition }: TopicPartition, offset: string): void {
    if (!this.#owns(topic, partition)) return
    if (this.#context.options.positions === 'in memory') {
      this.#context.memory.positions?.set(keyOf(topic, partition), offset)
    }
    this.#tell(consumer => consumer.seek({ topic, partition, offset }))
  }

  async commit(topic: string, partition: number, nextOffset: string, number: number): Promise<CommitOutcome> {
    const assignment = this.#assignment
    if (assignment?.number !== number || !this.#owns(topic, partition)) return 'no longer owned'
    const commit = this.#commitTogether(assignment, { topic, partition, offset: nextOffset })
    assignment.commits.add(commit)
    try {
      return await this.#unlessStopping(commit)
    } finally {
      assignment.commits.delete(commit)
    }
  }

  /**
   * One commit request at a time; what comes up while it is under way leaves with the next one. A broker answers the
   * requests of a connection one after the other: with a request of its own each partition would wait for all others.
   */
  #commitTogether(assignment: Assignment, position: Position): Promise<CommitOutcome> {
    assignment.gathering ??= { positions: new Map(), outcome: this.#commitGathered(assignment) }
    assignment.gathering.positions.set(keyOf(position.topic, position.partition), position)
    return assignment.gathering.outcome
  }

  async #commitGathered(assignment: Assignment): Promise<CommitOutcome> {
    await assignment.underWay
    const positions = [...(assignment.gathering?.positions.values() ?? [])]
    assignment.gathering = undefined
    const commit = this.#commitUnder(assignment, byTopic(positions))
    assignment.underWay = Promise.allSettled([commit])
    return commit
  }

  /** A stop does not wait for a broker that does not answer. */
  async #unlessStopping<T>(commit: Promise<T>): Promise<T> {
    const gaveUp = Promise.withResolvers<never>()
    let timer: NodeJS.Timeout | undefined
    const startClock = (): void => {
      timer = setTimeout(() => gaveUp.reject(new CommitAbandonedError()), BROKER_LIMIT_AT_STOP_MS)
    }
    const { signal } = this.#stopping
    if (signal.aborted) startClock()
    else signal.addEventListener('abort', startClock)
    try {
      return await Promise.race([commit, gaveUp.promise])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', startClock)
    }
  }

  /** kafkajs asks this before each join, and would also join when it is being stopped: a member that nobody knows of. */
  #unlessOver(assigner: Assigner): Assigner {
    const protocol: Assigner['protocol'] = subscription => {
      if (!this.#deliversRecords) throw new Error('the session is over')
      return assigner.protocol(subscription)
    }
    return { ...assigner, protocol }
  }

  async #open(): Promise<void> {
    const { options, memory } = this.#context
    await this.#consumer.connect()
    // From the beginning, so that a position that retention has overtaken moves to the oldest record there is and
    // not, as 'latest' would have it, past all of them. Beginning at the end is done by seeking.
    await this.#consumer.subscribe({ topics: options.topics, fromBeginning: true })
    memory.positions ??= options.from === 'latest' ? await this.#findEnds() : new Map()
    await removeAbandonedMember(this.#cluster, this.#context)
    if (!this.#deliversRecords) return
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: payload => this.#deliver(payload),
      onPartitionsRevoked: async () => {
        await this.#revoke()
        // All members of a rebalance are to name the same partitions: who names old ones would rejoin later, when its metadata are renewed.
        if (this.#deliversRecords) await within(METADATA_LIMIT_MS, this.#cluster.refreshMetadata())
      },
    })
  }

  /**
   * The hot path: once per partition of a fetch, nothing per record. What was fetched for an earlier assignment does not come here:
   * the patched kafkajs drops it, because it alone knows when the fetch began.
   */
  async #deliver(payload: EachBatchPayload): Promise<void> {
    const assignment = this.#assignment
    if (assignment === undefined || !this.#deliversRecords) return
    if (assignment.settling) await this.#beatingHeart(assignment.settling, payload)
    const { topic, partition, messages, highWatermark } = payload.batch
    const key = keyOf(topic, partition)
    // Not resolved, so it is fetched again: from where `seek` said, or when `resume` is called.
    if (
      this.#assignment !== assignment ||
      assignment.revoked ||
      payload.isStale() ||
      this.#paused.has(key) ||
      !this.#deliversRecords
    )
      return

    const nextOffset = String(BigInt(payload.batch.lastOffset()) + 1n)
    const owner = { topic, partition, assignment: assignment.number }
    const handOver = { ...owner, records: messages, nextOffset, highWatermark }
    const fail = (error: unknown) => this.#fail(new HandlerFailedError('onRecords', error))
    // Not when it has returned: a rejoin may come in between, and would go back to them.
    if (this.#context.options.positions === 'in memory') this.#context.memory.positions?.set(key, nextOffset)
    let taken
    try {
      taken = this.#context.handlers.onRecords(handOver)
    } catch (error) {
      fail(error)
    }
    if (taken instanceof Promise) await this.#beatingHeart(taken.catch(fail), payload)

    const last = messages.at(-1)
    if (last === undefined || !this.#deliversRecords) return
    if (this.#assignment !== assignment || assignment.revoked) return
    payload.resolveOffset(last.offset)
  }

  /**
   * kafkajs sends heartbeats between batches only; this sends them while `work`, which never fails, is awaited.
   * @throws when the group moves on: kafkajs must hear of it, and the work ends by what onRevoked does
   */
  async #beatingHeart(work: Promise<unknown>, payload: EachBatchPayload): Promise<void> {
    const done = work.then(() => true)
    for (;;) {
      let timer: NodeJS.Timeout | undefined
      const pulse = new Promise<false>(resolve => {
        timer = setTimeout(() => resolve(false), this.#heartbeatIntervalMs)
      })
      try {
        if (await Promise.race([done, pulse])) return
      } finally {
        clearTimeout(timer)
      }
      try {
        await payload.heartbeat()
      } catch (error) {
        if (isOwnershipLost(error) || hasErrorType(error, 'NOT_COORDINATOR_FOR_GROUP')) throw error
        this.#log.debug({ reason: reasonOf(error) }, 'heartbeat failed while records were handed over')
      }
    }
  }

  /** Runs inside kafkajs' join, before it fetches anything. */
  #takeOver({ memberId, generationId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    const { options, memory } = this.#context
    const partitions = Object.entries(memberAssignment).flatMap(([topic, ids]) =>
      ids.map(partition => ({ topic, partition })),
    )
    const assignment: Assignment = {
      number: ++memory.assignments,
      memberId,
      generationId,
      partitions,
      owned: new Set(partitions.map(({ topic, partition }) => keyOf(topic, partition))),
      commits: new Set(),
      gathering: undefined,
      underWay: Promise.resolve(),
      settling: undefined,
      revoked: undefined,
    }
    this.#lastHeartbeatAt = performance.now()
    if (options.groupInstanceId === undefined) memory.abandonedMemberId = memberId
    if (!this.#deliversRecords) return
    this.#assignment = assignment
    this.#resumeAll()
    if (options.positions === 'in memory') this.#seekRemembered(partitions)
    assignment.settling = this.#settle(assignment)
    this.#log.info(
      { groupId: options.groupId, memberId, generationId, partitions: memberAssignment },
      'joined the group',
    )
  }

  /** Never fails: what fails here ends the session. */
  async #settle(assignment: Assignment): Promise<void> {
    const { options, handlers } = this.#context
    try {
      if (options.positions === 'committed' && options.from === 'latest') {
        await this.#unlessStopping(this.#commitStarts(assignment))
      }
      await this.#callOnAssigned(handlers, assignment)
      assignment.settling = undefined
      if (this.#assignment === assignment) this.#context.onReady()
    } catch (error) {
      // It is a stop that abandons a commit, and that ends the session by itself.
      if (!(error instanceof CommitAbandonedError)) this.#fail(error)
    }
  }

  async #callOnAssigned(handlers: GroupConsumerHandlers, { partitions, number }: Assignment): Promise<void> {
    try {
      await handlers.onAssigned?.(partitions, number)
    } catch (error) {
      throw new HandlerFailedError('onAssigned', error)
    }
  }

  /**
   * Fixes where the group begins by committing it. Otherwise every member that finds nothing committed would begin
   * at the end as it is then, and what was produced before the first commit is lost when the partition moves.
   */
  async #commitStarts(assignment: Assignment): Promise<void> {
    const missing = (await this.#findUncommitted(assignment.partitions)).flatMap(({ topic, partition }) => {
      const offset = this.#context.memory.positions?.get(keyOf(topic, partition))
      // A partition that is younger than this consumer is read from its beginning.
      return offset === undefined ? [] : [{ topic, partition, offset }]
    })
    if (missing.length === 0) return
    for (const start of missing) this.#tell(consumer => consumer.seek(start))
    await this.#commitUnder(assignment, byTopic(missing))
  }

  #seekRemembered(partitions: TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const offset = this.#context.memory.positions?.get(keyOf(topic, partition))
      if (offset !== undefined) this.#consumer.seek({ topic, partition, offset })
    }
  }

  async #findEnds(): Promise<Map<string, string>> {
    const ends = await this.#cluster.fetchTopicsOffset(
      this.#context.options.topics.map(topic => ({
        topic,
        partitions: this.#cluster
          .findTopicPartitionMetadata(topic)
          .map(({ partitionId }) => ({ partition: partitionId })),
        fromBeginning: false,
      })),
    )
    return new Map(
      ends.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [keyOf(topic, partition), offset] as const),
      ),
    )
  }

  async #findUncommitted(partitions: TopicPartition[]): Promise<TopicPartition[]> {
    if (partitions.length === 0) return []
    const coordinator = await this.#findCoordinator()
    const { responses } = await coordinator.offsetFetch({
      groupId: this.#context.options.groupId,
      topics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
        topic,
        partitions: ofTopic.map(({ partition }) => ({ partition })),
      })),
    })
    return responses.flatMap(({ topic, partitions: found }) =>
      found.filter(({ offset }) => Number(offset) < 0).map(({ partition }) => ({ topic, partition })),
    )
  }

  async #commitUnder(
    assignment: Assignment,
    topics: Parameters<Broker['offsetCommit']>[0]['topics'],
  ): Promise<CommitOutcome> {
    const { groupId, groupInstanceId } = this.#context.options
    const attempt = async (): Promise<CommitOutcome> => {
      if (this.#assignment !== assignment) return 'no longer owned'
      try {
        const coordinator = await this.#findCoordinator()
        await coordinator.offsetCommit({
          groupId,
          memberId: assignment.memberId,
          groupGenerationId: assignment.generationId,
          ...(groupInstanceId !== undefined && { groupInstanceId }),
          topics,
        })
        return 'committed'
      } catch (error) {
        // The next attempt asks again who the coordinator is.
        this.#coordinator = undefined
        if (hasErrorType(error, 'FENCED_INSTANCE_ID')) this.#fail(error)
        if (isOwnershipLost(error)) return 'no longer owned'
        throw error
      }
    }
    return retry(attempt, {
      policy: COMMIT_RETRIES,
      isRetryable: error => classifyKafkaError(error) === 'retryable',
      onRetry: ({ attempt: number, delayMs, error }) =>
        this.#log.debug(
          { groupId, attempt: number, delayMs, reason: reasonOf(error) },
          'commit failed, trying again',
        ),
    })
  }

  async #findCoordinator(): Promise<Broker> {
    if (!this.#coordinator?.isConnected()) {
      this.#coordinator = await this.#cluster.findGroupCoordinator({ groupId: this.#context.options.groupId })
    }
    return this.#coordinator
  }

  /** Once per assignment; kafkajs awaits it before it rejoins or leaves. */
  async #revoke(): Promise<void> {
    const assignment = this.#assignment
    if (assignment === undefined) return
    assignment.revoked ??= this.#release(assignment)
    await assignment.revoked
  }

  async #release(assignment: Assignment): Promise<void> {
    const { options, handlers } = this.#context
    const released = (async () => {
      await assignment.settling
      await handlers.onRevoked?.()
    })()
    // Later the group has thrown this member out anyway, and what onRevoked still commits is refused.
    const outcome = await within(options.rebalanceTimeoutMs, released)
    if (outcome.how !== 'done') {
      const error = outcome.how === 'failed' ? outcome.error : undefined
      this.#log.error(
        { groupId: options.groupId, err: error },
        `onRevoked ${outcome.how}; its partitions are given up`,
      )
    }
    // Those that onRevoked did not await. A later one harms nobody: the broker refuses its generation.
    await within(BROKER_LIMIT_AT_STOP_MS, Promise.allSettled(assignment.commits))
    if (this.#assignment === assignment) this.#assignment = undefined
  }

  async #close(opened: Promise<void>): Promise<void> {
    const disconnected = this.#consumer.disconnect()
    // A fetcher that sleeps because all is paused wakes up, finds that kafkajs stops, and ends.
    this.#tell(consumer => consumer.resume([]))
    // When this happened in the middle of #open, that may have connected and joined again.
    const closed = Promise.all([disconnected, opened.then(() => this.#consumer.disconnect())])
    const outcome = await within(BROKER_LIMIT_AT_STOP_MS, closed)
    if (outcome.how !== 'done') {
      this.#log.debug({ reason: whyNot(outcome) }, 'left the brokers without a clean disconnect')
    }
  }

  #fail(error: unknown): void {
    this.#silence()
    this.#end.resolve({ how: 'failed', error })
  }

  /** No record is delivered any more. Paused, or kafkajs would fetch the same ones over and over. */
  #silence(): void {
    if (!this.#deliversRecords) return
    this.#deliversRecords = false
    this.#tell(consumer => consumer.pause(this.#context.options.topics.map(topic => ({ topic }))))
  }

  /** kafkajs keeps partitions paused from one assignment to the next. */
  #resumeAll(): void {
    for (const key of this.#paused) {
      const { topic, partition } = partitionOf(key)
      this.#consumer.resume([{ topic, partitions: [partition] }])
    }
    this.#paused.clear()
  }

  /** kafkajs throws when it is not running, before its start or after its crash: then there is nothing to tell. */
  #tell(what: (consumer: Consumer) => void): void {
    try {
      what(this.#consumer)
    } catch (error) {
      this.#log.trace({ reason: reasonOf(error) }, 'kafkajs is not running')
    }
  }

  #owns(topic: string, partition: number): boolean {
    return this.#assignment?.owned.has(keyOf(topic, partition)) ?? false
  }
}

/**
 * Removes the member that this consumer may still be, over connections of its own, when no session follows that would. kafkajs leaves
 * when it is stopped, and does not tell when that failed, as it does once the coordinator has moved. It does not leave after a crash,
 * nor while a handler does not end or a join waits for the other members: until its answer the coordinator answers nothing else on
 * that connection. Bounded; never fails.
 */
export async function leaveApart(kafka: Kafka, context: MemberContext): Promise<void> {
  const { groupId, logger } = context.options
  const memberId = context.memory.abandonedMemberId
  if (memberId === undefined) return
  // One for all attempts: after a connection that failed it asks another address.
  const cluster = kafka.cluster()
  const attempt = async (): Promise<void> => {
    try {
      await cluster.connect()
      await cluster.refreshMetadata()
      await removeAbandonedMember(cluster, context)
    } finally {
      await cluster.disconnect()
    }
  }
  const left = retry(attempt, {
    policy: LEAVE_RETRIES,
    isRetryable: error => classifyKafkaError(error) === 'retryable',
  })
  const outcome = await within(BROKER_LIMIT_AT_STOP_MS, left)
  if (outcome.how === 'done') return
  logger.warn(
    { groupId, memberId, reason: whyNot(outcome) },
    'may still be in the group: its partitions then rest until its session times out',
  )
}

async function removeAbandonedMember(
  cluster: Cluster,
  { memory, options: { groupId } }: MemberContext,
): Promise<void> {
  const memberId = memory.abandonedMemberId
  if (memberId === undefined) return
  const coordinator = await cluster.findGroupCoordinator({ groupId })
  try {
    await coordinator.leaveGroup({ groupId, memberId })
  } catch (error) {
    // That it is unknown is what was wanted. After another answer it is tried again, by `leaveApart` or by the next session: a join
    // would only wait for that member's session to time out.
    if (!isOwnershipLost(error)) throw error
  }
  memory.abandonedMemberId = undefined
}

/**
 * A static member that comes back gets its old assignment, unless the coordinator selects another protocol than before: it compares
 * their names alone (KIP-345). Under one and the same name a topic, or partitions, that came in between would be read by nobody,
 * silently. So the name says what there is to read.
 */
function namedByPartitions(assigner: Assigner, cluster: Cluster): Assigner {
  let name = assigner.name
  return {
    ...assigner,
    // kafkajs compares it with what the coordinator selected: it stays what was offered, whatever the metadata say meanwhile.
    get name() {
      return name
    },
    protocol({ topics }) {
      const partitions = topics
        .toSorted()
        .map(topic => `${topic}/${cluster.findTopicPartitionMetadata(topic).length}`)
      const digest = createHash('sha256').update(partitions.join()).digest('hex').slice(0, 16)
      name = `${assigner.name}:${digest}`
      return { ...assigner.protocol({ topics }), name }
    },
  }
}

function byTopic(positions: readonly Position[]): Parameters<Broker['offsetCommit']>[0]['topics'] {
  return [...Map.groupBy(positions, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
    topic,
    partitions: ofTopic.map(({ partition, offset }) => ({ partition, offset })),
  }))
}

/** Topic names cannot contain a slash. */
function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

function partitionOf(key: string): TopicPartition {
  const [topic = '', partition] = key.split('/')
  return { topic, partition: Number(partition) }
}

type Outcome = { how: 'done' } | { how: 'failed'; error: unknown } | { how: 'took too long' }

function whyNot(outcome: Exclude<Outcome, { how: 'done' }>): string {
  return outcome.how === 'failed' ? reasonOf(outcome.error) : 'no answer'
}

async function within(limitMs: number, work: Promise<unknown>): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<Outcome>(resolve => {
    timer = setTimeout(() => resolve({ how: 'took too long' }), limitMs)
  })
  const settled = work.then(
    (): Outcome => ({ how: 'done' }),
    (error: unknown): Outcome => ({ how: 'failed', error }),
  )
  try {
    return await Promise.race([settled, limit])
  } finally {
    clearTimeout(timer)
  }
}
