/**
 * What can go wrong with Kafka, in three classes that a caller can act upon:
 * - 'retryable': the same thing can succeed later without anybody doing anything
 * - 'not retryable': this record or request will never succeed, others will
 * - 'fatal': nothing of this client will succeed until a person changes settings, rights or code
 */
export type KafkaErrorClass = 'retryable' | 'not retryable' | 'fatal'

/** Every error that this package makes itself. `cause` is what Kafka or the network said. */
export class KafkaConfigError extends Error {
  readonly category: KafkaErrorClass
  constructor(message: string, category: KafkaErrorClass, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.category = category
  }
}

/** No broker answered as it should when the producer connected. */
export class ConnectError extends KafkaConfigError {
  constructor(cause: unknown) {
    super(`cannot connect to Kafka: ${messageOf(cause)}`, classifyKafkaError(cause), cause)
  }
}

/** More records or bytes wait than the producer was allowed to hold; the record was not accepted, nothing was sent. */
export class QueueFullError extends KafkaConfigError {
  constructor(records: number, sizeBytes: number, queued: string) {
    super(`no room for ${records} more records of ${sizeBytes} bytes: the queue holds ${queued}`, 'retryable')
  }
}

/** The broker did not acknowledge the record in time. */
export class DeliveryTimeoutError extends KafkaConfigError {
  readonly topic: string
  /** undefined: the topic's partitions were never known. */
  readonly partition: number | undefined
  /** True: a request with the record was sent and not answered, so it may be stored, now or later. False: it is not. */
  readonly outcomeUnknown: boolean
  constructor(
    topic: string,
    partition: number | undefined,
    timeoutMs: number,
    outcomeUnknown: boolean,
    cause?: unknown,
  ) {
    super(
      `not acknowledged within ${timeoutMs} ms on ${place(topic, partition)}: ` +
        (outcomeUnknown ? 'the outcome is unknown, it may have been stored' : 'it was not stored') +
        (cause === undefined ? '' : ` (last failure: ${messageOf(cause)})`),
      'retryable',
      cause,
    )
    this.topic = topic
    this.partition = partition
    this.outcomeUnknown = outcomeUnknown
  }
}

/** The record alone is over a limit, the producer's own or the topic's `max.message.bytes`. It was not stored. */
export class RecordTooLargeError extends KafkaConfigError {
  readonly topic: string
  /** As `recordSizeBytes` counts. */
  readonly sizeBytes: number
  constructor(topic: string, sizeBytes: number, limit: string) {
    super(`a record of about ${sizeBytes} bytes for ${topic} is over ${limit}`, 'not retryable')
    this.topic = topic
    this.sizeBytes = sizeBytes
  }
}

/** The broker refused the record for good, or the topic or partition does not exist. It was not stored. */
export class RecordRefusedError extends KafkaConfigError {
  readonly topic: string
  readonly partition: number | undefined
  /** Kafka's name of the reason, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly type: string
  constructor(topic: string, partition: number | undefined, type: string, explanation: string) {
    super(
      `refused on ${place(topic, partition)}: ${explanation} (${type})`,
      fatalTypes.has(type) ? 'fatal' : 'not retryable',
    )
    this.topic = topic
    this.partition = partition
    this.type = type
  }
}

/** The cluster as a whole cannot be used: wrong credentials, an untrusted certificate. The record was not stored. */
export class DeliveryFailedError extends KafkaConfigError {
  readonly topic: string
  readonly partition: number | undefined
  constructor(topic: string, partition: number | undefined, cause: unknown) {
    super(`not sent to ${place(topic, partition)}: ${messageOf(cause)}`, classifyKafkaError(cause), cause)
    this.topic = topic
    this.partition = partition
  }
}

/** The producer was closed before the record was handed to it. */
export class ProducerClosedError extends KafkaConfigError {
  constructor() {
    super('the producer is closed', 'fatal')
  }
}

/** Some records of a `sendBatch` were not stored, or perhaps not. `cause` is the first failure. */
export class BatchSendError<T> extends KafkaConfigError {
  /** One entry for each record, in the caller's order: where it was stored, or its own error. */
  readonly outcomes: readonly (T | KafkaConfigError)[]
  constructor(outcomes: readonly (T | KafkaConfigError)[]) {
    const failures = outcomes.filter(outcome => outcome instanceof KafkaConfigError)
    super(
      `${failures.length} of ${outcomes.length} records failed: ${failures[0]?.message}`,
      worst(failures.map(failure => failure.category)),
      failures[0],
    )
    this.outcomes = outcomes
  }
}

/**
 * Says what a caller can do about an error that came out of kafkajs, of Node's sockets, or of this package.
 * An error that it does not know is 'not retryable': a defect in the program does not go away by repetition.
 */
export function classifyKafkaError(error: unknown): KafkaErrorClass {
  if (error instanceof KafkaConfigError) return error.category
  if (!(error instanceof Error)) return 'not retryable'
  const { name, code, type, retriable, cause, errors } = error as KafkaJsError

  if (Array.isArray(errors) && errors.length > 0) return worst(errors.map(classifyKafkaError))
  // kafkajs' retrier gives up with an error that is not retriable by its flag, whatever the last failure was.
  if (wrappers.has(name) && cause instanceof Error) return classifyKafkaError(cause)
  if (name === 'KafkaJSSASLAuthenticationError') {
    return interruptedAuthentication.test(error.message) ? 'retryable' : 'fatal'
  }
  if (typeof type === 'string') return classifyProtocolType(type, retriable === true)
  if (typeof code === 'string' && untrustedCertificate.test(code)) return 'fatal'
  if (typeof code === 'string' && networkCodes.has(code)) return 'retryable'
  if (retryableNames.has(name)) return 'retryable'
  if (fatalNames.has(name)) return 'fatal'
  return retriable === true ? 'retryable' : 'not retryable'
}

/** What kafkajs adds to Error, one or the other. */
type KafkaJsError = Error & {
  code?: unknown
  type?: unknown
  retriable?: unknown
  errors?: unknown
}

const wrappers = new Set([
  'KafkaJSNumberOfRetriesExceeded',
  'KafkaJSNonRetriableError',
  'RetriesExhaustedError',
])

const retryableNames = new Set([
  'KafkaJSBrokerNotFound',
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSStaleTopicMetadataAssignment',
  'KafkaJSTimeout',
])

const fatalNames = new Set([
  'KafkaJSNotImplemented',
  'KafkaJSServerDoesNotSupportApiKey',
  'KafkaJSUnsupportedMagicByteInMessageSet',
])

/** ENOTFOUND and EAI_AGAIN too: a container's name resolves only once the container exists. */
const networkCodes = new Set([
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_DESTROYED',
  'ETIMEDOUT',
])

/** Node's codes for a certificate that it does not trust, or a peer that does not speak TLS. */
const untrustedCertificate = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|^EPROTO$/

/** kafkajs reports a connection that was lost during authentication as failed authentication. */
const interruptedAuthentication =
  /connection (closed|error|timeout)|closed connection|not connected|timed out/i

/** Kafka's error types after which the client as a whole cannot go on. */
const fatalTypes = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
  'FENCED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_REQUIRED_ACKS',
  'INVALID_SESSION_TIMEOUT',
  'PRODUCER_FENCED',
  'SASL_AUTHENTICATION_FAILED',
  'SECURITY_DISABLED',
  'TOPIC_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'TRANSACTION_COORDINATOR_FENCED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
])

/** Types that go away by themselves although kafkajs marks them as not retriable. */
const transientTypes = new Set(['BROKER_NOT_AVAILABLE', 'REBALANCE_IN_PROGRESS', 'REASSIGNMENT_IN_PROGRESS'])

function classifyProtocolType(type: string, retriable: boolean): KafkaErrorClass {
  if (fatalTypes.has(type)) return 'fatal'
  return retriable || transientTypes.has(type) ? 'retryable' : 'not retryable'
}

function worst(categories: readonly KafkaErrorClass[]): KafkaErrorClass {
  if (categories.includes('fatal')) return 'fatal'
  return categories.includes('not retryable') ? 'not retryable' : 'retryable'
}

function place(topic: string, partition: number | undefined): string {
  return partition === undefined ? topic : `${topic}[${partition}]`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
