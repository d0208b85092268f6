import { createDeadLetterPublisher, deadLetterMaxBytes } from '@kafka-pattern/dead-letter'
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
import { consumerOptionsOf, limitsOf, retryPolicyOf, settingsSchema, topicSpecs } from './config.ts'
import { createDeadLetters } from './dead-letters.ts'
import { withDemoFaults } from './demo-faults.ts'
import { printRecords } from './handler.ts'

const name = 'batch-consumer'
const settings = loadSettings(settingsSchema, { name })
const logger = createLogger({ name, level: settings.LOG_LEVEL })
const service = createService({ name, settings, logger })

const kafka = createKafka(settings, logger)
const producer = createGatheringProducer(kafka, { logger, maxRecordBytes: deadLetterMaxBytes })
const consumer = createGroupConsumer(kafka, consumerOptionsOf(settings, logger))
const report = createBatchReport(logger, service.metrics)
const deadLetters = createDeadLetters(
  createDeadLetterPublisher({ kafka, producer, logger }),
  settings.KAFKA_CONSUMER_GROUP,
  report,
)
const batchConsumer = createBatchConsumer({
  consumer,
  // Your own work goes here: one function of a batch (src/handler.ts).
  handle: withDemoFaults(settings.DEMO_FAULTS, printRecords(logger)),
  deadLetters,
  retryPolicy: retryPolicyOf(settings),
  report,
  limits: limitsOf(settings),
  drainTimeoutMs: settings.DRAIN_TIMEOUT_MS,
  onDefect: service.fail,
})

consumer.onFatal(service.fail)
service.readyWhen('the consumer group', () => consumer.joined)
service.readyWhen('the dead-letter topic', () => !deadLetters.refused)

await service.run(async () => {
  await waitForKafka(kafka, { logger, signal: service.stopping })
  await ensureTopics(kafka, topicSpecs(settings), { logger, signal: service.stopping })
  service.onStop('the producer', () => producer.close())
  await producer.connect()
  service.onStop('the batch consumer', () => batchConsumer.stop())
  await batchConsumer.start()
})
