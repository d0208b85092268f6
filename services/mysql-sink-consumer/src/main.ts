import {
  createDeadLetterPublisher,
  createDeadLetters,
  deadLetterMaxBytes,
  deadLetterTopicSpec,
} from '@kafka-pattern/dead-letter'
import {
  createGatheringProducer,
  createGroupConsumer,
  createKafka,
  ensureTopics,
  waitForKafka,
} from '@kafka-pattern/kafka-config'
import {
  createMysql,
  requireGrants,
  requireSchema,
  waitForMysql,
  watchMysql,
} from '@kafka-pattern/mysql-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { Settings, consumerOptionsOf, mysqlOptionsOf, neededStatements, topicSpecs } from './config.ts'
import { deliveryModes } from './delivery.ts'
import { createSinkReport } from './sink-report.ts'
import { createSink } from './sink.ts'
import { requireRoomForBatch } from './users-replica.ts'

/** For what is still being written when DRAIN_TIMEOUT_MS is over: the sink has given it up, and the next owner of the partition writes it. */
const closeDatabaseWithinMs = 1_000

const settings = loadSettings(Settings, { name: 'mysql-sink-consumer' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)

const mysql = createMysql(settings, logger, mysqlOptionsOf(settings))
service.onStop('database', () => mysql.close(closeDatabaseWithinMs))

const producer = createGatheringProducer(kafka, { logger, maxRecordBytes: deadLetterMaxBytes })
service.onStop('producer', () => producer.close())

const group = settings.KAFKA_CONSUMER_GROUP
const consumer = createGroupConsumer(kafka, consumerOptionsOf(settings, logger))
const report = createSinkReport(logger, service.metrics)
const deadLetters = createDeadLetters(createDeadLetterPublisher({ kafka, producer, logger }), group, report)
const sink = createSink({
  consumer,
  mode: deliveryModes[settings.DELIVERY]({
    consumer,
    mysql,
    table: settings.REPLICA_TABLE,
    group,
    onGroupCommitFailed: (partition, error) => report.groupCommitFailed(partition, error),
  }),
  deadLetters,
  report,
  batchSize: settings.BATCH_SIZE,
  drainTimeoutMs: settings.DRAIN_TIMEOUT_MS,
  onDefect: error => service.fail(error),
})

consumer.onFatal(error => service.fail(error))
service.onStop('sink', () => sink.stop())

const watch = watchMysql(mysql, { logger })
service.onStop('watch of the database', () => watch.stop())
service.readyWhen('MySQL', () => watch.healthy)
service.readyWhen('consumer group', () => consumer.joined)
service.readyWhen('dead-letter topic', () => !deadLetters.refused)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForMysql(mysql, during, async () => {
    await requireSchema(mysql, 'mysql-sink-consumer', 2)
    await requireGrants(mysql, 'mysql-sink-consumer', neededStatements(settings))
    await requireRoomForBatch(mysql, settings.BATCH_SIZE)
  })
  await waitForKafka(kafka, during)
  const topics = await ensureTopics(kafka, topicSpecs(settings), during)
  await ensureTopics(
    kafka,
    topics.map(each => deadLetterTopicSpec({ ...each, group })),
    during,
  )
  await producer.connect()
  await sink.start()
})
