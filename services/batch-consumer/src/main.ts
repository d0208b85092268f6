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
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { createBatchConsumer } from './batch-consumer.ts'
import { createBatchReport } from './batch-report.ts'
import { Settings, consumerOptionsOf, limitsOf, retryPolicyOf, topicSpecs } from './config.ts'
import { withDemoFaults } from './demo-faults.ts'
import { printRecords } from './handler.ts'

const settings = loadSettings(Settings, { name: 'batch-consumer' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)

const producer = createGatheringProducer(kafka, {
  logger,
  maxRecordBytes: deadLetterMaxBytes,
  // Batches are in memory anyway. One that found no room would be sent later, behind those that came after it.
  maxQueuedRecords: Infinity,
  maxQueuedBytes: Infinity,
})
service.onStop('producer', () => producer.close())

const group = settings.KAFKA_CONSUMER_GROUP
const consumer = createGroupConsumer(kafka, consumerOptionsOf(settings, logger))
const report = createBatchReport(logger, service.metrics)
const publisher = createDeadLetterPublisher({ kafka, producer, logger })
const deadLetters = createDeadLetters(publisher, group, report)
const batchConsumer = createBatchConsumer({
  consumer,
  // Your own work goes here: one function of a batch (src/handler.ts).
  handle: withDemoFaults(settings.DEMO_FAULTS, printRecords(logger)),
  deadLetters,
  retryPolicy: retryPolicyOf(settings),
  report,
  limits: limitsOf(settings),
  drainTimeoutMs: settings.DRAIN_TIMEOUT_MS,
  onDefect: error => service.fail(error),
})

consumer.onFatal(error => service.fail(error))
service.onStop('batch consumer', () => batchConsumer.stop())
service.readyWhen('consumer group', () => consumer.joined)
service.readyWhen('dead-letter topic', () => !deadLetters.refused)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForKafka(kafka, during)
  const topics = await ensureTopics(kafka, topicSpecs(settings), during)
  await ensureTopics(
    kafka,
    topics.map(each => deadLetterTopicSpec({ ...each, group })),
    during,
  )
  await producer.connect()
  await batchConsumer.start()
})
