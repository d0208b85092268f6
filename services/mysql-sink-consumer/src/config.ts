import { refineDeadLetterTopics } from '@kafka-pattern/dead-letter'
import { USER_CHANGES_TOPIC, changesTopicSpec, entityTopicSpec } from '@kafka-pattern/events'
import {
  groupInstanceId,
  kafkaSettings,
  refineKafkaSettings,
  replicationFactor,
  topicNames,
} from '@kafka-pattern/kafka-config'
import { mysqlSettings } from '@kafka-pattern/mysql-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { GroupConsumerOptions, TopicSpec } from '@kafka-pattern/kafka-config'
import type { MysqlOptions } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'

const { list, wholeNumber } = settingsTypes

/** How long the group waits for a member in a rebalance; batches that are being written must be through by then. */
export const rebalanceTimeoutMs = 60_000

/** All that mysql-sink-consumer reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    ...mysqlSettings,
    MYSQL_USER: mysqlSettings.MYSQL_USER.default('mysql_sink_consumer'),
    KAFKA_CLUSTER_NAME: z.string().min(1).default('mysql-sink-consumer'),
    /** Topics whose values are states of users. */
    KAFKA_TOPICS: list.pipe(topicNames).default([USER_CHANGES_TOPIC]),
    KAFKA_CONSUMER_GROUP: z.string().default('mysql-sink-consumer'),
    /** A name of this instance that survives its restart: then a restart moves no partitions. */
    KAFKA_GROUP_INSTANCE_ID: groupInstanceId,
    /** A member that is silent for so long is thrown out of the group, and its transaction rolled back. Brokers allow 6 s to 30 min. */
    KAFKA_SESSION_TIMEOUT_MS: wholeNumber({ min: 6_000, max: 1_800_000 }).default(30_000),
    /** For topics that do not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /** The table that is filled. */
    REPLICA_TABLE: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be the name of a table')
      .default('users_replica'),
    /** What a crash may cost: a batch, its repetition, or neither. */
    DELIVERY: z.enum(['at-most-once', 'at-least-once', 'effectively-once']).default('effectively-once'),
    /** Records of a transaction, at most. A row takes up to 800 bytes of a statement, and servers take statements of 16 MiB. */
    BATCH_SIZE: wholeNumber({ min: 1, max: 10_000 }).default(2_000),
    /** How long the batches that are being written may take on a rebalance or a shutdown before they are abandoned. */
    DRAIN_TIMEOUT_MS: wholeNumber({ min: 0, max: rebalanceTimeoutMs - 10_000 }).default(10_000),
  })
  .superRefine(refineKafkaSettings)
  .superRefine(refineDeadLetterTopics)
  .refine(settings => settings.DRAIN_TIMEOUT_MS < settings.SHUTDOWN_TIMEOUT_MS, {
    path: ['DRAIN_TIMEOUT_MS'],
    error: 'must be below SHUTDOWN_TIMEOUT_MS, or a shutdown ends before the batches being written do',
  })

export type Settings = z.output<typeof Settings>

/** A new group begins with the oldest records there are: a replica holds what was there before. */
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

export function mysqlOptionsOf(settings: Settings): MysqlOptions {
  const sessionTimeoutSeconds = Math.ceil(settings.KAFKA_SESSION_TIMEOUT_MS / 1_000)
  return {
    affectedRows: 'changed',
    // After a failover nobody may say that the old connections lead nowhere. A batch takes about a second.
    answerTimeoutMs: 15_000,
    onConnect: [
      // The server gives up first: a statement that nobody waits for any more would go on waiting, and hold what it has locked.
      'SET SESSION innodb_lock_wait_timeout = 10',
      'SET SESSION lock_wait_timeout = 10',
      // How many rows an upsert has changed, the server says in words only.
      "SET SESSION lc_messages = 'en_US'",
      // Two partitions write at once. Under REPEATABLE READ each would lock the gaps around its rows, and they would deadlock.
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      // An owner that froze in the middle of a transaction keeps the locks of its rows, and its successor would wait for them. So the
      // database gives it up as soon as the group does.
      `SET SESSION wait_timeout = ${sessionTimeoutSeconds}`,
    ],
  }
}

/** The topics that are read. Their dead-letter topics are made after what these are. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return settings.KAFKA_TOPICS.map(topic => {
    const specOf = topic === USER_CHANGES_TOPIC ? changesTopicSpec : entityTopicSpec
    return { ...specOf(topic, size.replicationFactor), ...size }
  })
}

/** What the service does with its tables, as statements that change nothing: asked at the start, so that a right is not missed later. */
export function neededStatements({ REPLICA_TABLE }: Settings): string[] {
  return [
    upsertOfNothing(REPLICA_TABLE, 'id, name, level, version, created_at, updated_at, deleted_at', 'version'),
    upsertOfNothing('consumer_offsets', 'group_id, topic, partition_id, next_offset', 'next_offset'),
  ]
}

function upsertOfNothing(table: string, columns: string, changed: string): string {
  return `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM ${table} WHERE FALSE ON DUPLICATE KEY UPDATE ${changed} = VALUES(${changed})`
}
