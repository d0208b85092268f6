/** The parts of a relay, put together as its settings say. */
import { hostname } from 'node:os'
import { createTransactionalProducer } from '@kafka-pattern/kafka-config'
import { CommittedCursors } from './committed-cursors.ts'
import { heartbeatMsOf, idleTimes } from './config.ts'
import { EventTopics } from './event-topics.ts'
import { LaneKeeper } from './lane-keeper.ts'
import { LaneLeases } from './lane-leases.ts'
import { OutboxReader } from './outbox-reader.ts'
import { OutboxRelay } from './outbox-relay.ts'
import { Retention } from './retention.ts'
import type { Settings } from './config.ts'
import type { RelayReport } from './relay-report.ts'
import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'

export interface RelayResources {
  readonly kafka: Kafka
  readonly mysql: Mysql
  readonly logger: Logger
  readonly report: RelayReport
  /** The end of the service. */
  readonly stopping: AbortSignal
  /** Told what cannot be helped: the service should end. */
  readonly onFatal: (error: Error) => void
}

export interface RelayParts {
  readonly relay: OutboxRelay
  readonly retention: Retention
  readonly cursors: CommittedCursors
}

/** Connects to nothing before they are started. */
export function createRelayParts(settings: Settings, resources: RelayResources): RelayParts {
  const { kafka, mysql, logger, report, stopping, onFatal } = resources
  const { RELAY_NAME: name, RELAY_LANES: lanes, KAFKA_CURSOR_TOPIC: cursorTopic } = settings
  // The same after a restart in a container, so that it finds its leases again; different for two processes on one machine.
  const owner = `${hostname()}-${process.pid}`
  const topics = new EventTopics({
    kafka,
    logger,
    partitions: settings.TOPIC_PARTITIONS,
    replicationFactor: settings.TOPIC_REPLICATION_FACTOR,
    aggregateTypes: settings.AGGREGATE_TYPES === undefined ? null : new Set(settings.AGGREGATE_TYPES),
    maxAttempts: settings.PARK_AFTER_ATTEMPTS,
    stopping,
  })
  const keeper = new LaneKeeper({
    leases: new LaneLeases({ mysql, owner, leaseMs: settings.LEASE_MS }),
    laneOptions: lane => ({
      lane,
      lanes,
      owner,
      mysql,
      topics,
      report,
      producer: createTransactionalProducer(kafka, {
        logger,
        transactionalId: `${name}-lane-${lane}`,
        place: { groupId: name, topic: cursorTopic, partition: lane },
      }),
      startAfterSeq: settings.START_AFTER_SEQ,
      batchRows: settings.BATCH_SIZE,
      maxAttempts: settings.PARK_AFTER_ATTEMPTS,
      ...idleTimes,
    }),
    report,
    heartbeatMs: heartbeatMsOf(settings),
    onFatal,
  })
  const reader = new OutboxReader({
    mysql,
    lanes,
    batchRows: settings.BATCH_SIZE,
    batchBytes: settings.READ_AHEAD_BYTES / 2,
    holeGraceMs: settings.HOLE_GRACE_MS,
  })
  const cursors = new CommittedCursors({ kafka, logger, lanes, groupId: name, topic: cursorTopic })
  const relay = new OutboxRelay({
    reader,
    keeper,
    report,
    pollIntervalMs: settings.POLL_INTERVAL_MS,
    readAheadBytes: settings.READ_AHEAD_BYTES,
    onFatal,
  })
  const retention = new Retention({
    mysql,
    cursors,
    logger,
    retentionHours: settings.RETENTION_HOURS,
    partitionRows: settings.PARTITION_ROWS,
    checkMs: settings.RETENTION_CHECK_MS,
    isMine: () => keeper.has(0),
    onFatal,
  })
  return { relay, retention, cursors }
}
