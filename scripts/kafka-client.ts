import { createKafka, kafkaSettings, type Kafka } from '@kafka-pattern/kafka-config'
import { describeCluster } from '@kafka-pattern/local-stack'
import { pino, type Logger } from 'pino'
import { z } from 'zod'
import { parseAddress } from './doctor/examine-kafka.ts'
import { UserError } from './user-error.ts'

/** A client for the commands: quiet, because they say themselves what a person needs to know. */
export function quietKafka(brokers: string, clientId: string): { kafka: Kafka; logger: Logger } {
  const logger = pino({ level: 'silent' })
  const settings = z.object(kafkaSettings).parse({ KAFKA_BROKERS: brokers, KAFKA_CLUSTER_NAME: clientId })
  return { kafka: createKafka(settings, logger), logger }
}

/** @throws {UserError} at once when no broker answers, where the client itself would go on trying for half a minute */
export async function requireKafka(brokers: string): Promise<void> {
  const addresses = brokers.split(',').flatMap(text => parseAddress(text) ?? [])
  const views = await Promise.all(addresses.map(address => describeCluster(address)))
  if (views.every(view => view === null)) {
    throw new UserError(`Kafka at ${brokers} cannot be reached. \`make doctor\` says why.`)
  }
}
