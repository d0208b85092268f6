/** Which errors of a group consumer another attempt can mend, decided by Kafka's error names alone. */

/** What the broker answers when the membership or generation that a request names is over. */
const OWNERSHIP_LOST = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
])

/** No attempt can mend these: somebody has to change a setting, a permission or a deployment. */
const HOPELESS = new Set([
  'FENCED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'SECURITY_DISABLED',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_TOPIC_EXCEPTION',
  'UNSUPPORTED_VERSION',
])

/** A handler given to `start` threw. What it was given is not committed, so nothing is lost, but nobody processes it. */
export class HandlerFailedError extends Error {
  constructor(handler: string, cause: unknown) {
    super(`${handler} failed: ${messageOf(cause)}`, { cause })
    this.name = 'HandlerFailedError'
  }
}

/** A topic to consume does not exist. kafkajs would otherwise wait for it, or have the broker create it with defaults. */
export class TopicMissingError extends Error {
  constructor(topics: string[], cause: unknown) {
    super(`of the topics ${topics.join(', ')} one or more do not exist: create them first (ensureTopics)`, {
      cause,
    })
    this.name = 'TopicMissingError'
  }
}

/** 'fatal': the consumer has to end. 'try again': outages, and whatever is not known to be hopeless. */
export function judgeConsumerFailure(error: unknown): 'fatal' | 'try again' {
  for (const cause of causesOf(error)) {
    if (cause instanceof HandlerFailedError || cause instanceof TopicMissingError) return 'fatal'
    if (cause.name === 'KafkaJSSASLAuthenticationError') return 'fatal'
    if (HOPELESS.has(typeOf(cause))) return 'fatal'
  }
  return 'try again'
}

/** Another member, or nobody yet, owns the partitions; a commit was refused. */
export function isOwnershipLost(error: unknown): boolean {
  return causesOf(error).some(cause => OWNERSHIP_LOST.has(typeOf(cause)))
}

/** The error or one of its causes has this name among Kafka's error codes. */
export function hasErrorType(error: unknown, type: string): boolean {
  return causesOf(error).some(cause => typeOf(cause) === type)
}

/** The message of the innermost cause, which is the one that says what happened. */
export function reasonOf(error: unknown): string {
  return messageOf(causesOf(error).at(-1) ?? error)
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let cause = error; cause instanceof Error && !chain.includes(cause); cause = cause.cause)
    chain.push(cause)
  return chain
}

function typeOf(error: Error): string {
  return 'type' in error && typeof error.type === 'string' ? error.type : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
