import { hasErrorType, reasonOf } from './error-causes.ts'
import { KafkaConfigError } from './errors.ts'

/** A handler given to `start` threw. What it was given is not committed: it is not lost, but nobody processes it. */
export class HandlerFailedError extends KafkaConfigError {
  constructor(handler: string, cause: unknown) {
    super(`${handler} failed: ${reasonOf(cause)}`, 'fatal', cause)
  }
}

/** The consumer is stopping and the commit got no answer. The offset may have been committed, or not. */
export class CommitAbandonedError extends KafkaConfigError {
  constructor() {
    super('no broker answered the commit before the consumer stopped', 'retryable')
  }
}

/** A topic to consume does not exist. kafkajs would have the broker create it, with whatever defaults that has. */
export class TopicMissingError extends KafkaConfigError {
  constructor(topics: string[], cause: unknown) {
    super(
      `not all of these topics exist: ${topics.join(', ')}; create them first (ensureTopics)`,
      'fatal',
      cause,
    )
  }
}

/** The broker's answer says that the membership or the generation named in the request is over. */
export function isOwnershipLost(error: unknown): boolean {
  return hasErrorType(
    error,
    'ILLEGAL_GENERATION',
    'UNKNOWN_MEMBER_ID',
    'REBALANCE_IN_PROGRESS',
    'FENCED_INSTANCE_ID',
  )
}
