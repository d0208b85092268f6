import { refineDeadLetterTopics } from '@kafka-pattern/dead-letter'
import { TOPICS, entityTopicSpec } from '@kafka-pattern/events'
import {
  groupInstanceId,
  kafkaSettings,
  refineKafkaSettings,
  replicationFactor,
  topicNames,
} from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { BatchLimits } from './batch-collector.ts'
import type { GroupConsumerOptions, TopicSpec } from '@kafka-pattern/kafka-config'
import type { RetryPolicy } from '@kafka-pattern/retry'
import type { Logger } from '@kafka-pattern/service-runtime'

const { durationMs, flag, list, wholeNumber } = settingsTypes

/** How long the group waits for a member in a rebalance; revoked batches must be through by then. */
export const rebalanceTimeoutMs = 60_000

/** All that batch-consumer reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('batch-consumer'),
    /** Topics to read. */
    KAFKA_TOPICS: list.pipe(topicNames).default(Object.values(TOPICS)),
    KAFKA_CONSUMER_GROUP: z.string().default('batch-consumer'),
    /** A name of this instance that survives its restart: then a restart moves no partitions. */
    KAFKA_GROUP_INSTANCE_ID: groupInstanceId,
    /** A member that is silent for so long is thrown out of the group. Brokers allow 6 s to 30 min. */
    KAFKA_SESSION_TIMEOUT_MS: wholeNumber({ min: 6_000, max: 1_800_000 }).default(30_000),
    /** For topics that do not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /** A batch closes at so many records... */
    BATCH_SIZE: wholeNumber({ min: 1, max: 100_000 }).default(5),
    /** ...or at so many bytes of keys, values and headers (a partition holds about three times as much: src/partition-buffer.ts)... */
    BATCH_BYTES: wholeNumber({ min: 1_024, max: 1_073_741_824 }).default(4 * 1024 * 1024),
    /** ...or so long after its first one arrived. */
    BATCH_TIMEOUT_MS: durationMs.default(5_000),
    RETRY_KIND: z
      .enum(['fixed', 'exponential'], { error: 'must be fixed or exponential' })
      .default('exponential'),
    /** fixed: the wait before every retry. */
    RETRY_DELAY_MS: durationMs.default(1_000),
    /** exponential: the longest wait before the first retry; the actual one is random below it. */
    RETRY_BASE_MS: wholeNumber({ min: 1, max: 2 ** 31 - 1 }).default(100),
    /** exponential: by how much it grows from one retry to the next. */
    RETRY_FACTOR: factor().default(2),
    /** exponential: it never grows beyond this. */
    RETRY_CAP_MS: durationMs.default(5_000),
    /** Tries of a record by itself, the first one included. */
    RETRY_MAX_ATTEMPTS: wholeNumber({ min: 1 }).default(5),
    /** No retry begins later than this after the first try. Not set: no limit but the attempts. */
    RETRY_MAX_ELAPSED_MS: durationMs.optional(),
    /** How long the batches in process may take on a rebalance or a shutdown before they are abandoned. */
    DRAIN_TIMEOUT_MS: wholeNumber({ min: 0, max: rebalanceTimeoutMs - 10_000 }).default(10_000),
    /** Honour the record header `demo-fault`. For demos and tests only. */
    DEMO_FAULTS: flag.default(false),
  })
  .superRefine(refineKafkaSettings)
  .superRefine(refineDeadLetterTopics)
  .refine(settings => settings.DRAIN_TIMEOUT_MS < settings.SHUTDOWN_TIMEOUT_MS, {
    path: ['DRAIN_TIMEOUT_MS'],
    error: 'must be below SHUTDOWN_TIMEOUT_MS, or a shutdown ends before the batches in process do',
  })

export type Settings = z.output<typeof Settings>

/** A number of at least 1, such as 1.5. */
function factor() {
  const error = 'must be a number from 1 to 100'
  return z
    .string()
    .trim()
    .regex(/^\d+(\.\d+)?$/, { error, abort: true })
    .transform(Number)
    .refine(value => value >= 1 && value <= 100, { error })
}

export function retryPolicyOf(settings: Settings): RetryPolicy {
  const limits = {
    maxAttempts: settings.RETRY_MAX_ATTEMPTS,
    ...(settings.RETRY_MAX_ELAPSED_MS !== undefined && { maxElapsedMs: settings.RETRY_MAX_ELAPSED_MS }),
  }
  if (settings.RETRY_KIND === 'fixed') return { kind: 'fixed', delayMs: settings.RETRY_DELAY_MS, ...limits }
  return {
    kind: 'exponential',
    baseMs: settings.RETRY_BASE_MS,
    factor: settings.RETRY_FACTOR,
    capMs: settings.RETRY_CAP_MS,
    jitter: 'full',
    ...limits,
  }
}

export function limitsOf(settings: Settings): BatchLimits {
  return {
    batchSize: settings.BATCH_SIZE,
    batchBytes: settings.BATCH_BYTES,
    batchTimeoutMs: settings.BATCH_TIMEOUT_MS,
  }
}

/** A new group begins with the oldest records there are: work that was put on the topic before is work to do. */
export function consumerOptionsOf(settings: Settings, logger: Logger): GroupConsumerOptions {
  return {
    groupId: settings.KAFKA_CONSUMER_GROUP,
    ...(settings.KAFKA_GROUP_INSTANCE_ID !== undefined && {
      groupInstanceId: settings.KAFKA_GROUP_INSTANCE_ID,
    }),
    topics: settings.KAFKA_TOPICS,
    from: 'earliest',
    sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs,
    logger,
  }
}

/** The topics that are read. Their dead-letter topics are made after what these are. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return settings.KAFKA_TOPICS.map(topic => ({ ...entityTopicSpec(topic, size.replicationFactor), ...size }))
}
