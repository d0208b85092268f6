import { DeliveryTimeoutError, ProducerClosedError, QueueFullError, classifyKafkaError } from './errors.ts'

/** Not now, but later, without anybody changing anything. */
export interface Unavailable {
  readonly kind: 'unavailable'
  /** For the caller; names no host. */
  readonly reason: string
  readonly retryAfterSeconds: number
}

/** Long enough for a leader election; a queue drains faster, and a stopping process has a successor by then. */
const retryAfterOutageSeconds = 5
const retryAfterSeconds = 1

/**
 * What a failed `send` means for whoever asked for the record over HTTP; null if trying again cannot help, so that it is a
 * defect to report. Whether the record was stored is said as far as it is known.
 */
export function judgeSendFailure(error: unknown): Unavailable | null {
  if (error instanceof QueueFullError) {
    return unavailable(
      'too many records already wait to be stored; this one was not stored',
      retryAfterSeconds,
    )
  }
  if (error instanceof ProducerClosedError) {
    return unavailable('the service is stopping; the record was not stored', retryAfterSeconds)
  }
  if (error instanceof DeliveryTimeoutError && error.outcomeUnknown) {
    return unavailable(
      'Kafka did not acknowledge the record in time; it may have been stored',
      retryAfterOutageSeconds,
    )
  }
  if (classifyKafkaError(error) === 'retryable') {
    return unavailable('Kafka is not available; the record was not stored', retryAfterOutageSeconds)
  }
  return null
}

/** What a request gets before there was any connection. */
export const notConnected = unavailable(
  'there is no connection to Kafka yet; nothing was stored',
  retryAfterOutageSeconds,
)

function unavailable(reason: string, seconds: number): Unavailable {
  return { kind: 'unavailable', reason, retryAfterSeconds: seconds }
}
