/**
 * Lesson: a producer in a process that somebody else starts, freezes, thaws and ends as they please.
 * Guarantees: all invocations of a process share one connection, and one that died while the process was frozen is renewed within
 * the invocation that needs it; 201 means that all in-sync replicas have the record (acks=all), and nothing is left behind when the
 * answer goes out; there is an answer before the function's time is over, whatever the brokers do.
 * Does not: know the outcome when the connection breaks before the acknowledgement. The record is sent again (the same record: its
 * `id` is the same), so it may be stored twice; and a 503 says if it may be stored at all.
 */
import { createdEntityRecord } from '@kafka-pattern/events'
import { internalError } from '@kafka-pattern/http-api'
import { judgeSendFailure, notConnected } from '@kafka-pattern/kafka-config'
import { recordFields } from '@kafka-pattern/service-runtime'
import { NoConnectionError } from './kept-producer.ts'
import { readEvent } from './read-event.ts'
import type { Logger } from '@kafka-pattern/service-runtime'
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2, Context } from 'aws-lambda'
import type { KeptProducer } from './kept-producer.ts'

/** An answer as both kinds of API take it. */
export type Answer = { statusCode: number; headers: Record<string, string>; body: string }

export type LambdaHandler = (
  event: APIGatewayProxyEvent | APIGatewayProxyEventV2,
  context: Pick<Context, 'awsRequestId' | 'getRemainingTimeInMillis'>,
) => Promise<Answer>

export function createHandler(options: {
  readonly producer: Pick<KeptProducer, 'send'>
  readonly topic: string
  /** How long before the end of the function's time the answer is given. */
  readonly answerMarginMs: number
  readonly logger: Logger
}): LambdaHandler {
  const { producer, topic, answerMarginMs, logger } = options

  return async (event, context) => {
    const startedAtMs = performance.now()
    const deadlineMs = startedAtMs + context.getRemainingTimeInMillis() - answerMarginMs
    const read = readEvent(event)
    const { correlationId } = read
    if (read.kind === 'refused') return answer(read.refusal.status, correlationId, read.refusal.body)

    const { awsRequestId } = context
    const record = createdEntityRecord(read.request, { topic, correlationId })
    try {
      const { partition, offset } = await producer.send(record, deadlineMs)
      const durationMs = Math.round((performance.now() - startedAtMs) * 10) / 10
      logger.info(
        { ...recordFields({ ...record, partition, offset }), awsRequestId, durationMs },
        'record acknowledged',
      )
      const where = { 'x-kafka-partition': String(partition), 'x-kafka-offset': offset }
      return answer(201, correlationId, record.value, where)
    } catch (error) {
      const unavailable = error instanceof NoConnectionError ? notConnected : judgeSendFailure(error)
      if (unavailable === null) {
        logger.error({ err: error, correlationId, awsRequestId }, 'request failed')
        const { status, body } = internalError()
        return answer(status, correlationId, body)
      }
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn({ topic, key: record.key, correlationId, awsRequestId, reason }, 'record not acknowledged')
      const retryAfter = { 'retry-after': String(unavailable.retryAfterSeconds) }
      return answer(503, correlationId, { error: unavailable.reason }, retryAfter)
    }
  }
}

/** @param body a text is JSON already */
function answer(
  statusCode: number,
  correlationId: string,
  body: string | object,
  headers: Record<string, string> = {},
): Answer {
  return {
    statusCode,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'x-correlation-id': correlationId,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }
}
