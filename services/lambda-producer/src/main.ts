import { createKafka } from '@kafka-pattern/kafka-config'
import { createLogger, parseSettings } from '@kafka-pattern/service-runtime'
import { Settings, topicSpecs } from './config.ts'
import { producerConnector } from './connect-producer.ts'
import { createHandler } from './handler.ts'
import { keepProducer } from './kept-producer.ts'
import { mskIamToken } from './msk-iam-token.ts'

// What follows runs once for each process, before its first invocation.
const settings = parseSettings(Settings, process.env)
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const kafka = createKafka(settings, logger, { bearerToken: mskIamToken(settings) })
const producer = keepProducer({
  connect: producerConnector(kafka, topicSpecs(settings), logger),
  maxAgeMs: settings.CONNECTION_MAX_AGE_MS,
  logger,
})
// Awaited, or a function that was started in advance would be frozen in the middle of it; Lambda gives it 10 s.
await producer.open(3_000)

export const handler = createHandler({
  producer,
  topic: settings.KAFKA_TOPIC,
  answerMarginMs: settings.ANSWER_MARGIN_MS,
  logger,
})
