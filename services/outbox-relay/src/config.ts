import { OUTBOX_CURSOR_TOPIC, outboxCursorTopicSpec } from '@kafka-pattern/events'
import { kafkaSettings, refineKafkaSettings, replicationFactor, topicName } from '@kafka-pattern/kafka-config'
import { mysqlSettings } from '@kafka-pattern/mysql-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { TopicSpec } from '@kafka-pattern/kafka-config'
import type { MysqlOptions } from '@kafka-pattern/mysql-config'

const { durationMs, list, wholeNumber } = settingsTypes

/** No relay's lease runs longer, whatever its settings. */
export const longestLeaseMs = 600_000

/** All that outbox-relay reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    ...mysqlSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('outbox-relay'),
    MYSQL_USER: z.string().min(1).default('outbox_relay'),
    /** One name for a table: all relays of it share the work. It begins the transactional ids, and is the consumer group of the position. */
    RELAY_NAME: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,200}$/, 'must be letters, digits, dots, dashes and underscores')
      .default('outbox-relay'),
    /** The topic on which the positions are committed; it holds no records. */
    KAFKA_CURSOR_TOPIC: topicName.default(OUTBOX_CURSOR_TOPIC),
    /** Into how many parts the aggregates are divided; as many relays can share the work. The same for all, and for ever. */
    RELAY_LANES: wholeNumber({ min: 1, max: 256 }).default(1),
    /** Where a relay begins that has never published: behind this number. */
    START_AFTER_SEQ: wholeNumber({ min: 0 }).default(0),
    /** A relay that is silent for so long loses its lanes to the others. */
    LEASE_MS: wholeNumber({ min: 500, max: longestLeaseMs }).default(10_000),
    /** Rows of one read, and about those of one transaction. */
    BATCH_SIZE: wholeNumber({ min: 1, max: 50_000 }).default(4_000),
    /** Between two reads that find nothing, at most. */
    POLL_INTERVAL_MS: wholeNumber({ min: 4, max: 60_000 }).default(20),
    /** No read begins while more waits for the transactions before; a read takes half as much, and a row. */
    READ_AHEAD_BYTES: wholeNumber({ min: 65_536, max: 1_073_741_824 }).default(8 * 1024 * 1024),
    /** How long a server's thread may be held up between two steps of a commit or an insert (src/hole-watch.ts). */
    HOLE_GRACE_MS: durationMs.default(1_000),
    /** Not set: every aggregate type gets a topic. Else rows of other types are parked. */
    AGGREGATE_TYPES: list.optional(),
    /** How often a row is tried that the broker refuses, until it is parked; one that is too large is tried once. */
    PARK_AFTER_ATTEMPTS: wholeNumber({ min: 1, max: 100 }).default(5),
    /** Published rows are kept for so long, then their partition is dropped. */
    RETENTION_HOURS: wholeNumber({ min: 0, max: 1_000_000 }).default(24),
    /** Rows of a partition that is added. */
    PARTITION_ROWS: wholeNumber({ min: 10, max: 1_000_000_000 }).default(1_000_000),
    /** How often partitions are looked after. */
    RETENTION_CHECK_MS: wholeNumber({ min: 100, max: 86_400_000 }).default(60_000),
    /** For topics that do not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
  })
  .superRefine(refineKafkaSettings)

export type Settings = z.output<typeof Settings>

export const mysqlOptions: MysqlOptions = {
  // After a failover nobody may say that the old connections lead nowhere. What the relay asks for takes milliseconds; a change of partitions
  // may take longer, then goes on without it, and the next check finds what has become of it.
  answerTimeoutMs: 10_000,
  onConnect: [
    // Weaker ones show rows that are rolled back later, and begin no snapshot by which a transaction is seen (open-transactions.ts).
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    // The server gives up first: a statement that nobody waits for any more would go on waiting, and hold what it has locked.
    'SET SESSION innodb_lock_wait_timeout = 5',
    'SET SESSION lock_wait_timeout = 5',
  ],
}

/** On a shutdown: time for what is under way. What is asked of the database after that nobody needs; leases run out by themselves. */
export function closeDatabaseAfterMs({ SHUTDOWN_TIMEOUT_MS }: Settings): number {
  return SHUTDOWN_TIMEOUT_MS * 0.6
}

/** Three missed renewals cost the lease; a lane that is free is noticed within a second. */
export function heartbeatMsOf(settings: Settings): number {
  return Math.min(1_000, settings.LEASE_MS / 3)
}

export function cursorTopicSpec(settings: Settings): TopicSpec {
  return outboxCursorTopicSpec(
    settings.RELAY_LANES,
    settings.TOPIC_REPLICATION_FACTOR,
    settings.KAFKA_CURSOR_TOPIC,
  )
}

/** When a lane commits its position although it has nothing to publish. */
export const idleTimes = { idleCommitMs: 2_000, keepAliveMs: 3_600_000 }
