import { createKafka, ensureTopics, waitForKafka } from '@kafka-pattern/kafka-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { Settings, topicSpecs } from './config.ts'
import { createLineOutput } from './line-output.ts'
import { chooseMembership } from './membership.ts'
import { createSimpleConsumer } from './simple-consumer.ts'
import { logOutput } from './log-output.ts'

const settings = loadSettings(Settings, { name: 'simple-consumer' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL, ...logOutput() })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)

const membership = chooseMembership(settings)
const consumer = createSimpleConsumer({
  kafka,
  topics: settings.KAFKA_TOPICS,
  membership,
  print: settings.PRINT ? createLineOutput(process.stdout) : null,
  metrics: service.metrics,
  logger,
  onFatal: error => service.fail(error),
})
service.onStop('consumer', () => consumer.stop())
service.readyWhen('consumer group', () => consumer.joined)

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  await waitForKafka(kafka, during)
  await ensureTopics(kafka, topicSpecs(settings), during)
  await consumer.start()
  logger.info({ ...membership, topics: settings.KAFKA_TOPICS }, 'consuming')
})
