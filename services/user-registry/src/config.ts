import { kafkaSettings, refineKafkaSettings } from '@kafka-pattern/kafka-config'
import { mysqlSettings } from '@kafka-pattern/mysql-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { MysqlOptions } from '@kafka-pattern/mysql-config'

const { port, wholeNumber } = settingsTypes

/** All that user-registry reads. Kafka's settings count with WRITE_MODE=dual only; the other two never talk to it. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    ...mysqlSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('user-registry'),
    MYSQL_USER: z.string().min(1).default('user_registry'),
    HOST: z.string().default('127.0.0.1'),
    /** 0 = any free port; the log names it. */
    PORT: port.default(3010),
    /** The row alone; the row and its events in one transaction; or, to see how it loses them, the row and then Kafka. */
    WRITE_MODE: z.enum(['table', 'outbox', 'dual']).default('outbox'),
    /** No request is left without an answer for longer. */
    REQUEST_TIMEOUT_MS: wholeNumber({ min: 1_000, max: 600_000 }).default(10_000),
  })
  .superRefine(refineKafkaSettings)
  .refine(settings => settings.REQUEST_TIMEOUT_MS < settings.SHUTDOWN_TIMEOUT_MS, {
    path: ['REQUEST_TIMEOUT_MS'],
    error: 'must be below SHUTDOWN_TIMEOUT_MS, or a shutdown ends before the requests in flight do',
  })

export type Settings = z.output<typeof Settings>

/**
 * A request must end in time, one way or the other: no statement is waited for longer than a part of REQUEST_TIMEOUT_MS, and a user
 * whom somebody else holds for longer than that is answered 503, not waited for during the 50 s of the servers' default.
 */
export function mysqlOptions({ REQUEST_TIMEOUT_MS }: Settings): MysqlOptions {
  const lockWaitSeconds = Math.max(1, Math.floor(REQUEST_TIMEOUT_MS / 5_000))
  return {
    answerTimeoutMs: REQUEST_TIMEOUT_MS * 0.4,
    onConnect: [`SET innodb_lock_wait_timeout = ${lockWaitSeconds}`],
  }
}
