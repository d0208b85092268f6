/**
 * Lesson: one record for each request, and an answer only when the broker has it.
 * Guarantees: `acknowledged` means that all in-sync replicas have the record (acks=all), at the partition and offset given, and
 * that `json` is byte for byte its value; all requests share one connection and travel together in few produce requests; a
 * broker that is away costs an answer in bounded time, never a wrong one, and no restart.
 * Does not: know the outcome when the connection breaks before the acknowledgement. It says so, and a caller that then
 * tries again may create the entity twice (under another id).
 */
import { createdEntityRecord } from '@kafka-pattern/events'
import { judgeSendFailure } from '@kafka-pattern/kafka-config'
import { recordFields } from '@kafka-pattern/service-runtime'
import type { CreateRequest } from '@kafka-pattern/events'
import type { GatheringProducer, Unavailable } from '@kafka-pattern/kafka-config'
import type { Logger, ServiceMetrics } from '@kafka-pattern/service-runtime'

export type CreateOutcome =
  | {
      readonly kind: 'acknowledged'
      readonly json: string
      readonly partition: number
      readonly offset: string
    }
  | Unavailable

/**
 * @param deadlineMs on the clock of `performance.now()`; whatever happens, the promise settles before it, or at once
 * @throws what is no outage but a defect: the record refused for good, the topic not authorized
 */
export type CreateEntity = (
  request: CreateRequest,
  correlationId: string,
  deadlineMs: number,
) => Promise<CreateOutcome>

export function entityCreator(options: {
  readonly producer: Pick<GatheringProducer, 'send'>
  readonly topic: string
  /** How long before the deadline the answer is given. */
  readonly answerMarginMs: number
  readonly logger: Logger
  readonly metrics: Pick<ServiceMetrics, 'recordsTotal' | 'durations'>
}): CreateEntity {
  const { producer, topic, answerMarginMs, logger, metrics } = options
  const acknowledged = { topic, outcome: 'acknowledged' }
  const failed = { topic, outcome: 'failed' }

  return async (request, correlationId, deadlineMs) => {
    const startedAtMs = performance.now()
    const record = createdEntityRecord(request, { topic, correlationId })
    try {
      const stored = await producer.send(record, {
        timeoutMs: Math.max(1, Math.floor(deadlineMs - answerMarginMs - startedAtMs)),
      })
      const durationMs = performance.now() - startedAtMs
      metrics.recordsTotal.inc(acknowledged)
      metrics.durations.observe(acknowledged, durationMs / 1000)
      const { partition, offset } = stored
      logger.info(
        { ...recordFields({ ...record, partition, offset }), durationMs: Math.round(durationMs * 10) / 10 },
        'record acknowledged',
      )
      // Written once: what the caller reads is what the consumers read.
      return { kind: 'acknowledged', json: record.value, partition, offset }
    } catch (error) {
      metrics.recordsTotal.inc(failed)
      metrics.durations.observe(failed, (performance.now() - startedAtMs) / 1000)
      const unavailable = judgeSendFailure(error)
      if (unavailable === null) throw error
      // Its message alone: in an outage this is a line for each request, and its stack says nothing more.
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn({ topic, key: record.key, correlationId, reason }, 'record not acknowledged')
      return unavailable
    }
  }
}
