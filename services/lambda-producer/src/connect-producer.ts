import { createGatheringProducer, ensureTopics } from '@kafka-pattern/kafka-config'
import type { GatheringProducer, Kafka, TopicSpec } from '@kafka-pattern/kafka-config'
import type { Logger } from '@kafka-pattern/service-runtime'

/** No function lives longer: each record brings its own limit, the remaining time of its invocation. */
const longestInvocationMs = 900_000

/**
 * Makes producers that are connected and whose topics exist. The topics are looked at once in the life of the process, so a topic
 * that is not as it should be is one warning.
 */
export function producerConnector(
  kafka: Kafka,
  topics: TopicSpec[],
  logger: Logger,
): (signal: AbortSignal) => Promise<GatheringProducer> {
  let areTopicsThere = false

  return async signal => {
    // No linger: an invocation handles one request, so nobody else's record comes along.
    const producer = createGatheringProducer(kafka, {
      logger,
      lingerMs: 0,
      deliveryTimeoutMs: longestInvocationMs,
    })
    try {
      await producer.connect()
      if (!areTopicsThere) await ensureTopics(kafka, topics, { logger, signal })
      areTopicsThere = true
      return producer
    } catch (error) {
      await producer.close()
      throw error
    }
  }
}
