import { createKafka, kafkaSettings, type Kafka } from '@kafka-pattern/kafka-config'
import { pino, type Logger } from 'pino'
import { z } from 'zod'

/** A client for the commands: quiet, because they say themselves what a person needs to know. */
export function quietKafka(brokers: string, clientId: string): { kafka: Kafka; logger: Logger } {
  const logger = pino({ level: 'silent' })
  const settings = z.object(kafkaSettings).parse({ KAFKA_BROKERS: brokers, KAFKA_CLUSTER_NAME: clientId })
  return { kafka: createKafka(settings, logger), logger }
}
