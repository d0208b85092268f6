import { createRequestLimitBytes } from '@kafka-pattern/events'
import { createHttpApi } from '@kafka-pattern/http-api'
import { createGatheringProducer, createKafka, ensureTopics, waitForKafka } from '@kafka-pattern/kafka-config'
import { createLogger, createService, loadSettings } from '@kafka-pattern/service-runtime'
import { Settings, producerLimits, topicSpecs } from './config.ts'
import { entityCreator } from './create-entity.ts'
import { addCreateRoute } from './http-api.ts'

const settings = loadSettings(Settings, { name: 'simple-producer' })
const logger = createLogger({ name: settings.KAFKA_CLUSTER_NAME, level: settings.LOG_LEVEL })
const service = createService({ name: settings.KAFKA_CLUSTER_NAME, settings, logger })
const kafka = createKafka(settings, logger)

const producer = createGatheringProducer(kafka, { logger, ...producerLimits(settings) })
service.onStop('producer', () => producer.close())
service.readyWhen('Kafka', () => producer.connected)

let started = false
const createEntity = entityCreator({
  producer,
  topic: settings.KAFKA_TOPIC,
  // Less than what is left when a record's time is over: only one whose body came slowly has a shorter time.
  answerMarginMs: settings.REQUEST_TIMEOUT_MS * 0.05,
  logger,
  metrics: service.metrics,
})
const api = await createHttpApi({
  title: settings.KAFKA_CLUSTER_NAME,
  host: settings.HOST,
  port: settings.PORT,
  routes: routes => addCreateRoute(routes, { createEntity, accepts: () => started }),
  bodyLimitBytes: createRequestLimitBytes,
  stopping: service.stopping,
  requestTimeoutMs: settings.REQUEST_TIMEOUT_MS,
  logger,
})
service.onStop('http', () => api.close())

await service.run(async () => {
  const during = { logger, signal: service.stopping }
  logger.info({ port: await api.listen() }, 'listening')
  await waitForKafka(kafka, during)
  await ensureTopics(kafka, topicSpecs(settings), during)
  await producer.connect()
  started = true
})
