import { logLevel } from 'kafkajs'
import type { KafkaConfig } from 'kafkajs'
import type { Logger } from 'pino'

/** Passes kafkajs' log lines on to pino. */
export function kafkaLogger(logger: Logger): Pick<KafkaConfig, 'logLevel' | 'logCreator'> {
  return {
    logLevel: logLevel.DEBUG,
    logCreator:
      () =>
      ({ namespace, log: { message, ...fields } }) =>
        logger.debug({ kafkajs: namespace, ...fields }, message),
  }
}
