/** The run's broker stack, as the tests see it. */
import { createKafka, type KafkaSettings } from '@kafka-pattern/kafka-config'
import { pino, type Logger } from 'pino'
import { inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of every broker of the run's stack; set by global-setup.ts */
    kafkaBrokers: string[]
    /** a folder that is gone after the run; what is registered in it is ended with the run */
    testRunDir: string
  }
}

export type TestKafka = {
  brokers: string[]
  settings: KafkaSettings
  kafka: ReturnType<typeof createKafka>
  /** silent, unless TEST_LOG_LEVEL says otherwise */
  logger: Logger
}

let shared: TestKafka | undefined

/** One client for all tests of a file; it holds no connection itself. */
export function testKafka(): TestKafka {
  shared ??= connectTo(inject('kafkaBrokers'))
  return shared
}

/** The same for other brokers: those of `startOwnKafka`, or a fault proxy. */
export function connectTo(brokers: string[]): TestKafka {
  const settings: KafkaSettings = { KAFKA_BROKERS: brokers, KAFKA_CLUSTER_NAME: 'test', KAFKA_TLS: false }
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
  return { brokers, settings, kafka: createKafka(settings, logger), logger }
}
