import { createGatheringProducer, createKafka, ensureTopics, waitForKafka } from '@kafka-pattern/kafka-config'
import {
  createMysql,
  requireGrants,
  requireSchema,
  waitForMysql,
  watchMysql,
} from '@kafka-pattern/mysql-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import {
  Settings,
  deliveryTimeoutMsOf,
  largestRecordBytesOf,
  leaseOf,
  pageLimitsOf,
  tableOf,
  topicSpecOf,
} from './config.ts'
import { createPollerReport } from './poller-report.ts'
import { createPoller } from './poller.ts'
import { createRowRecords } from './row-records.ts'
import { neededStatements, openSourceTable } from './source-table.ts'

const settings = loadSettings(Settings, { name: 'cdc-poller' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)
const mysql = createMysql(settings, logger)
service.onStop('mysql', () => mysql.close())

const producer = createGatheringProducer(kafka, {
  logger,
  deliveryTimeoutMs: deliveryTimeoutMsOf(settings),
  // A page is in memory anyway, and only one is under way; a deleted row is two records.
  maxQueuedRecords: settings.PAGE_ROWS * 2,
  maxQueuedBytes: Infinity,
  // Below it the limit is the topic's, who tells only after it has the whole record.
  maxRecordBytes: largestRecordBytesOf(settings),
})
service.onStop('producer', () => producer.close())
service.readyWhen('Kafka', () => producer.connected)

const watch = watchMysql(mysql, { logger })
service.onStop('mysql watch', () => watch.stop())
service.readyWhen('MySQL', () => watch.healthy)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForKafka(kafka, during)
  await ensureTopics(kafka, [topicSpecOf(settings)], during)
  await producer.connect()
  const table = await waitForMysql(mysql, during, async () => {
    await requireSchema(mysql, 'cdc-poller', 3)
    await requireGrants(mysql, 'cdc-poller', neededStatements)
    return openSourceTable(mysql, tableOf(settings), pageLimitsOf(settings))
  })
  const poller = createPoller({
    ...leaseOf(settings),
    mysql,
    table,
    producer,
    recordsOf: createRowRecords(table, settings.KAFKA_TOPIC),
    cursorKind: settings.POLLER_CURSOR,
    pollIntervalMs: settings.POLL_INTERVAL_MS,
    overlapMs: settings.OVERLAP_MS,
    rememberedRows: settings.REMEMBERED_ROWS,
    report: createPollerReport(
      { table: settings.TABLE, topic: settings.KAFKA_TOPIC },
      logger,
      service.metrics,
    ),
    onFatal: error => service.fail(error),
  })
  service.onStop('poller', () => poller.stop())
  service.readyWhen('open transactions', () => poller.seesOpenTransactions)
  poller.start()
})
