import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import { classifyMysqlError } from '@kafka-pattern/mysql-config'

/**
 * Pure. What went away while a command was at work, as lines of text, the first one a sentence; null: the error is of another kind. Not for
 * what a command asks at its beginning, which has better words for it.
 */
export function describeOutage(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const who = awayAfter(error)
  if (who === null) return null
  const reason = error.cause instanceof Error ? error.cause.message : error.message
  return [
    `${who} gave no answer any more: ${reason}`,
    'Was it stopped meanwhile? `make ps` shows what runs, and `make doctor` looks closer.',
  ].join('\n')
}

function awayAfter(error: Error): string | null {
  // The code alone, such as ECONNREFUSED, is that of any connection; mysql2 marks those of its own as fatal, and kafkajs does not.
  const isOfMysql = 'fatal' in error && error.fatal === true
  if (!isOfMysql && classifyKafkaError(error) === 'retryable') return 'Kafka'
  if (classifyMysqlError(error) === 'unavailable') return 'MySQL'
  // As fetch tells it.
  const isUnanswered = error instanceof TypeError && error.message === 'fetch failed'
  return isUnanswered || error.name === 'TimeoutError' ? 'A service' : null
}
