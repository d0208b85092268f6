import { hostname } from 'node:os'
import { USER_CHANGES_TOPIC, changesTopicSpec } from '@kafka-pattern/events'
import { kafkaSettings, refineKafkaSettings, replicationFactor, topicName } from '@kafka-pattern/kafka-config'
import { mysqlSettings } from '@kafka-pattern/mysql-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import { longestLeaseMs } from './cursor-lease.ts'
import { mostRememberedRows } from './published-versions.ts'
import type { TableDescription } from './source-table.ts'
import type { TopicSpec } from '@kafka-pattern/kafka-config'

const { durationMs, list, wholeNumber } = settingsTypes

const nameError = 'must be a name of letters, digits, _ and $'
const isName = (text: string): boolean => /^[\p{L}\p{N}_$]{1,64}$/u.test(text)
const sqlName = z.string().refine(isName, nameError)

/** All that cdc-poller reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    ...mysqlSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('cdc-poller'),
    MYSQL_USER: z.string().min(1).default('cdc_poller'),
    /** The table to follow. */
    TABLE: sqlName.default('users'),
    /** What makes a row the same row; with several columns the record's key is a JSON array. */
    KEY_COLUMNS: list.refine(names => names.every(isName), nameError).default(['id']),
    /** Set by the database at every change, to its own time. */
    UPDATED_AT_COLUMN: sqlName.default('updated_at'),
    /** Another value at every change. */
    VERSION_COLUMN: sqlName.default('version'),
    /** Set = deleted. `none`: rows of this table are never deleted. */
    DELETED_AT_COLUMN: sqlName.default('deleted_at').transform(name => (name === 'none' ? null : name)),
    KAFKA_TOPIC: topicName.default(USER_CHANGES_TOPIC),
    /** Of a topic that does not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /** The wait when everything has been read. */
    POLL_INTERVAL_MS: wholeNumber({ min: 10, max: 60_000 }).default(200),
    /** Rows that are read and published together. With more of them more outlives the young generation, and that costs more than it saves. */
    PAGE_ROWS: wholeNumber({ min: 1, max: 50_000 }).default(1_000),
    /** So far behind the database's clock everything is read again: for what no look at the open transactions sees. */
    OVERLAP_MS: wholeNumber({ min: 1_000, max: 3_600_000 }).default(1_000),
    /** Published rows that are remembered at most, so as not to publish them again. */
    REMEMBERED_ROWS: wholeNumber({ min: 1_000, max: mostRememberedRows }).default(200_000),
    /** A poller that has not stored its cursor for so long loses it to another one. */
    LEASE_MS: durationMs
      .refine(ms => ms >= 1_000 && ms <= longestLeaseMs, `must be from 1000 to ${longestLeaseMs}`)
      .default(10_000),
    /** naive: the cursor of the original, which loses rows. For `make prove`, which shows it. */
    POLLER_CURSOR: z.enum(['low-mark', 'naive'], { error: 'must be low-mark or naive' }).default('low-mark'),
  })
  .superRefine(refineKafkaSettings)
  .refine(settings => settings.TABLE === 'users' || settings.KAFKA_TOPIC !== USER_CHANGES_TOPIC, {
    path: ['KAFKA_TOPIC'],
    error: `must be set with TABLE: ${USER_CHANGES_TOPIC} is for users`,
  })

export type Settings = z.output<typeof Settings>

export function tableOf(settings: Settings): TableDescription {
  return {
    table: settings.TABLE,
    keyColumns: settings.KEY_COLUMNS,
    updatedAtColumn: settings.UPDATED_AT_COLUMN,
    versionColumn: settings.VERSION_COLUMN,
    deletedAtColumn: settings.DELETED_AT_COLUMN,
  }
}

/** Compacted, whatever the table: the topic holds the last state of every row. */
export function topicSpecOf(settings: Settings): TopicSpec {
  return {
    ...changesTopicSpec(settings.KAFKA_TOPIC, settings.TOPIC_REPLICATION_FACTOR),
    partitions: settings.TOPIC_PARTITIONS,
  }
}

/** Pollers of the same topic share its work, one at a time. */
export function leaseOf(settings: Settings): { name: string; owner: string; leaseMs: number } {
  return {
    name: settings.KAFKA_TOPIC,
    owner: `${hostname()}/${process.pid}/${Date.now()}`,
    leaseMs: settings.LEASE_MS,
  }
}

/** With the row that passes it. Two pages are in memory, the one that is published and the next one, each as rows and as records. */
const pageBytes = 4 * 1024 * 1024

/** Few topics take more. */
const mostRecordBytes = 16 * 1024 * 1024

/** A link of 30 Mbit/s, of which a tenth is for all else: `mostRecordBytes` in half of the default lease. */
const sentBytesPerMs = mostRecordBytes / 5_000

/** What is read and published together. */
export function pageLimitsOf(settings: Settings): { pageRows: number; pageBytes: number } {
  return { pageRows: settings.PAGE_ROWS, pageBytes }
}

/** Every record is stored or given up before a lease that was just renewed can be over. */
export function deliveryTimeoutMsOf(settings: Settings): number {
  return settings.LEASE_MS / 2
}

/**
 * What is sent before a delivery is given up. A larger record could time out for ever, and no later change of the table would be
 * published. In the shortest lease it is still more than a topic takes by default.
 */
export function largestRecordBytesOf(settings: Settings): number {
  return Math.floor(Math.min(mostRecordBytes, deliveryTimeoutMsOf(settings) * sentBytesPerMs))
}
