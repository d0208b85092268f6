import {
  createGatheringProducer,
  createKafka,
  type GatheringProducer,
  type Kafka,
} from '../../packages/kafka-config/src/index.ts'
import { createLogger, type Logger } from '../../packages/service-runtime/src/index.ts'
import { readTask } from './task.ts'

/** This project's client, with its defaults; only its log is quiet. */
export function ownKafka(): { kafka: Kafka; logger: Logger } {
  const logger = createLogger({ name: 'bench', level: 'silent' })
  const kafka = createKafka(
    { KAFKA_BROKERS: readTask().brokers, KAFKA_CLUSTER_NAME: 'bench', KAFKA_TLS: false },
    logger,
  )
  return { kafka, logger }
}

export async function connectGatheringProducer(): Promise<GatheringProducer> {
  const { kafka, logger } = ownKafka()
  const producer = createGatheringProducer(kafka, { logger })
  await producer.connect()
  return producer
}
