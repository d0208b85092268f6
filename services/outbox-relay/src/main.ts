import { hostname } from 'node:os'
import { createKafka, createTransactionalProducer, waitForKafka } from '@kafka-pattern/kafka-config'
import { createMysql, requireSchema, waitForMysql, watchMysql } from '@kafka-pattern/mysql-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { CommittedCursors, requireCursorTopic, requireMemory, requireSameTable } from './committed-cursors.ts'
import { Settings, cursorTopicSpec, heartbeatMsOf, idleTimes } from './config.ts'
import { EventTopics } from './event-topics.ts'
import { LaneKeeper } from './lane-keeper.ts'
import { LaneLeases, requireLanes } from './lane-leases.ts'
import { requireDenseNumbers } from './outbox-end.ts'
import { OutboxReader } from './outbox-reader.ts'
import { OutboxRelay } from './outbox-relay.ts'
import { createRelayReport } from './relay-report.ts'
import { requireRights } from './required-rights.ts'
import { Retention } from './retention.ts'

const settings = loadSettings(Settings, { name: 'outbox-relay' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)
const mysql = createMysql(settings, logger)
service.onStop('mysql', () => mysql.close())

const report = createRelayReport(logger, service.metrics)
service.onStop('report', () => report.stop())

// The same after a restart in a container, so that it finds its leases again; different for two processes on one machine.
const owner = `${hostname()}-${process.pid}`
const lanes = settings.RELAY_LANES
const topics = new EventTopics({
  kafka,
  logger,
  partitions: settings.TOPIC_PARTITIONS,
  replicationFactor: settings.TOPIC_REPLICATION_FACTOR,
  aggregateTypes: settings.AGGREGATE_TYPES === undefined ? null : new Set(settings.AGGREGATE_TYPES),
  maxAttempts: settings.PARK_AFTER_ATTEMPTS,
  stopping: service.stopping,
})
const cursors = new CommittedCursors({
  kafka,
  logger,
  lanes,
  groupId: settings.RELAY_NAME,
  topic: settings.KAFKA_CURSOR_TOPIC,
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
      transactionalId: `${settings.RELAY_NAME}-lane-${lane}`,
      place: { groupId: settings.RELAY_NAME, topic: settings.KAFKA_CURSOR_TOPIC, partition: lane },
    }),
    startAfterSeq: settings.START_AFTER_SEQ,
    batchRows: settings.BATCH_SIZE,
    maxAttempts: settings.PARK_AFTER_ATTEMPTS,
    ...idleTimes,
  }),
  report,
  heartbeatMs: heartbeatMsOf(settings),
  onFatal: error => service.fail(error),
})
const relay = new OutboxRelay({
  reader: new OutboxReader({
    mysql,
    lanes,
    batchRows: settings.BATCH_SIZE,
    batchBytes: settings.READ_AHEAD_BYTES / 2,
    holeGraceMs: settings.HOLE_GRACE_MS,
  }),
  keeper,
  report,
  pollIntervalMs: settings.POLL_INTERVAL_MS,
  readAheadBytes: settings.READ_AHEAD_BYTES,
  onFatal: error => service.fail(error),
})
const retention = new Retention({
  mysql,
  cursors,
  logger,
  retentionHours: settings.RETENTION_HOURS,
  partitionRows: settings.PARTITION_ROWS,
  checkMs: settings.RETENTION_CHECK_MS,
  isMine: () => keeper.has(0),
  onFatal: error => service.fail(error),
})
const watch = watchMysql(mysql, { logger })
service.onStop('mysql watch', () => watch.stop())
service.readyWhen('MySQL', () => watch.healthy)
service.readyWhen('lanes', () => relay.healthy)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForKafka(kafka, during)
  await waitForMysql(mysql, during, async () => {
    await requireSchema(mysql, 'outbox-relay', 1)
    await requireRights(mysql)
    await requireDenseNumbers(mysql)
    await requireLanes(mysql, lanes)
  })
  await requireCursorTopic(kafka, cursorTopicSpec(settings), during)
  const published = await cursors.read(service.stopping)
  await waitForMysql(mysql, during, async () => {
    await requireMemory(mysql, published)
    await requireSameTable(mysql, published)
  })
  relay.start()
  service.onStop('relay', () => relay.stop())
  retention.start()
  service.onStop('retention', () => retention.stop())
})
