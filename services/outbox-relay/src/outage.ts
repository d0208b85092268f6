/** What is waited out, and how long is waited. */
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import { isRetryableMysqlError } from '@kafka-pattern/mysql-config'
import { untilItWorks, type RetryPolicy } from '@kafka-pattern/retry'

/** The pauses before what was refused for its own sake is tried again; how often, is a setting. */
export const refusedPolicy: RetryPolicy = { ...untilItWorks, capMs: 500 }

/** Nobody's fault, and over some time: a broker or the database is away, or others were in the way. */
export function isOutage(error: unknown): boolean {
  return classifyKafkaError(error) === 'retryable' || isRetryableMysqlError(error)
}
