import { retry } from '@kafka-pattern/retry'
// The names behind `CompressionTypes` in kafkajs' exports are not found by Node's reading of CommonJS: the whole is imported.
import kafkajs from 'kafkajs'
import type { Admin, Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { causesOf, hasErrorType, reasonOf } from './error-causes.ts'
import { KafkaConfigError, classifyKafkaError } from './errors.ts'
import { withAdmin } from './kafka.ts'

/**
 * What a topic should be. `configs` are topic configs by Kafka's names, such as `cleanup.policy`; a `replicationFactor` of -1 is
 * the brokers' `default.replication.factor`.
 */
export interface TopicSpec {
  topic: string
  partitions: number
  replicationFactor: number
  configs?: Record<string, string>
}

export interface TopicDifference {
  /** 'partitions', 'replication factor', or the name of a topic config. */
  what: string
  wanted: string
  found: string
}

export interface TopicReport {
  topic: string
  outcome: 'created' | 'exists as wanted' | 'exists otherwise'
  /** What it has, whatever was wanted. */
  partitions: number
  replicationFactor: number
  /** Empty unless the topic exists otherwise. */
  differences: TopicDifference[]
}

/** What a topic is. */
export interface TopicState {
  partitions: number
  replicationFactor: number
  configs: Record<string, string>
}

/** The broker does not create the topic or tell about it: not authorized, a config it does not know, too few brokers. */
export class TopicSetupError extends KafkaConfigError {
  /** A broker says it of a topic; others may do better. False: of this client as a whole, such as its credentials. */
  readonly isOfTopic: boolean
  constructor(topics: string[], cause: unknown) {
    super(
      `could not set up ${topics.join(', ')}: ${explain(cause)}`,
      classifyKafkaError(cause) === 'fatal' ? 'fatal' : 'not retryable',
      cause,
    )
    this.isOfTopic = failuresOf(cause).length > 0 || causesOf(cause).some(isOfTopic)
  }
}

function isOfTopic(error: Error): boolean {
  if (!(error instanceof kafkajs.KafkaJSProtocolError)) return false
  return error.type === 'TOPIC_AUTHORIZATION_FAILED' || classifyKafkaError(error) !== 'fatal'
}

/** Brokers of a cluster that starts register one after another; until then there are too few for the replicas. */
const WAIT_FOR_BROKERS_MS = 10_000

/**
 * Creates the topics that do not exist and waits until every partition has a leader. A topic that exists is never
 * changed: if it is not as specified, each difference is logged as a warning and returned. Whoever else creates the
 * same topics at the same time does no harm. Retries for ever, unless aborted, while brokers do not answer.
 *
 * @throws TopicSetupError when the broker refuses, and says why, or the client cannot be used at all
 * @throws AbortError when the signal is aborted
 */
export async function ensureTopics(
  kafka: Kafka,
  specs: TopicSpec[],
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
): Promise<TopicReport[]> {
  const begunAt = performance.now()
  const created = new Set<string>()
  const states = await retry(() => withAdmin(kafka, admin => createMissing(admin, specs, created)), {
    policy: {
      kind: 'exponential',
      baseMs: 100,
      factor: 2,
      capMs: 2_000,
      jitter: 'none',
      maxAttempts: Infinity,
    },
    isRetryable: error =>
      classifyKafkaError(error) === 'retryable' ||
      // Metadata of a topic just created reaches the brokers one by one.
      hasErrorType(error, 'UNKNOWN_TOPIC_OR_PARTITION') ||
      (isShortOfBrokers(error) && performance.now() - begunAt < WAIT_FOR_BROKERS_MS),
    ...(signal && { signal }),
    onRetry: ({ attempt, delayMs, error }) =>
      // The first few attempts are how a topic comes to have leaders.
      logger[attempt < 5 ? 'debug' : 'warn'](
        { attempt, delayMs, reason: explain(error) },
        'waiting for topics',
      ),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new TopicSetupError(
      specs.map(({ topic }) => topic),
      error,
    )
  })

  return specs.map(spec => {
    const state = states.get(spec.topic)!
    const { partitions, replicationFactor } = state
    const found = { topic: spec.topic, partitions, replicationFactor }
    if (created.has(spec.topic)) {
      logger.info(found, 'topic created')
      return { ...found, outcome: 'created', differences: [] }
    }
    const differences = differencesBetween(spec, state)
    if (differences.length === 0) return { ...found, outcome: 'exists as wanted', differences }
    logger.warn(
      { topic: spec.topic, differences },
      'topic exists, but not as it should be; it is left as it is',
    )
    return { ...found, outcome: 'exists otherwise', differences }
  })
}

/** Pure: in what a topic is not as specified. Configs that the specification does not name are not compared. */
export function differencesBetween(spec: TopicSpec, state: TopicState): TopicDifference[] {
  // Whatever the brokers' default is or was.
  const replicas = spec.replicationFactor === -1 ? state.replicationFactor : spec.replicationFactor
  const pairs: [what: string, wanted: string, found: string][] = [
    ['partitions', String(spec.partitions), String(state.partitions)],
    ['replication factor', String(replicas), String(state.replicationFactor)],
    ...Object.entries(spec.configs ?? {}).map(
      ([name, wanted]) => [name, wanted, state.configs[name] ?? 'unknown'] as [string, string, string],
    ),
  ]
  return pairs
    .filter(([, wanted, found]) => wanted !== found)
    .map(([what, wanted, found]) => ({ what, wanted, found }))
}

/** Pure. @throws KafkaConfigError, retryable, while a partition has no leader: it can be neither written nor read */
export function requireLeaders(
  topics: { name: string; partitions: { partitionId: number; leader: number }[] }[],
): void {
  for (const { name, partitions } of topics) {
    const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId)
    if (partitions.length === 0 || leaderless.length > 0) {
      throw new KafkaConfigError(`no leader yet for ${name}[${leaderless.join(', ')}]`, 'retryable')
    }
  }
}

async function createMissing(
  admin: Admin,
  specs: TopicSpec[],
  created: Set<string>,
): Promise<Map<string, TopicState>> {
  const existing = new Set(await admin.listTopics())
  for (const spec of specs) {
    if (!existing.has(spec.topic) && (await create(admin, spec))) created.add(spec.topic)
  }
  return describe(admin, specs)
}

/**
 * False: another process was faster. One topic a request, because of several kafkajs says that none was created as
 * soon as one of them existed.
 */
async function create(
  admin: Admin,
  { topic, partitions, replicationFactor, configs = {} }: TopicSpec,
): Promise<boolean> {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  return admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
  })
}

async function describe(admin: Admin, specs: TopicSpec[]): Promise<Map<string, TopicState>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ topic }) => topic) })
  requireLeaders(topics)
  const configs = await describeConfigs(admin, specs)
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicationFactor: partitions[0]?.replicas.length ?? 0,
        configs: configs.get(name) ?? {},
      },
    ]),
  )
}

async function describeConfigs(
  admin: Admin,
  specs: TopicSpec[],
): Promise<Map<string, Record<string, string>>> {
  const resources = specs
    .filter(({ configs = {} }) => Object.keys(configs).length > 0)
    .map(({ topic, configs = {} }) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name: topic,
      configNames: Object.keys(configs),
    }))
  if (resources.length === 0) return new Map()
  const described = await admin.describeConfigs({ resources, includeSynonyms: false })
  return new Map(
    described.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
}

function isShortOfBrokers(error: unknown): boolean {
  return failuresOf(error).some(({ type }) => type === 'INVALID_REPLICATION_FACTOR')
}

/** What kafkajs says of each topic that could not be created. */
function failuresOf(error: unknown): { topic: string; type: string; message: string }[] {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
}

function explain(error: unknown): string {
  const failures = failuresOf(error)
  if (failures.length === 0) return reasonOf(error)
  return failures.map(({ topic, type, message }) => `${topic}: ${message} (${type})`).join('; ')
}
