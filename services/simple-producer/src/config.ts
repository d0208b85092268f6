import { TOPICS, createRequestLimitBytes, entityTopicSpec } from '@kafka-pattern/events'
import { kafkaSettings, refineKafkaSettings, replicationFactor, topicName } from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { GatheringProducerOptions, TopicSpec } from '@kafka-pattern/kafka-config'

const { durationMs, port, wholeNumber } = settingsTypes

/** All that simple-producer reads. It runs once per entity: the name and the topic are what differs. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('simple-producer'),
    HOST: z.string().default('127.0.0.1'),
    /** 0 = any free port; the log names it. */
    PORT: port.default(3001),
    KAFKA_TOPIC: topicName.default(TOPICS.user),
    /** For a topic that does not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /**
     * How long a record waits for company in its produce request; at most half of REQUEST_TIMEOUT_MS. Callers wait for it, too: 64 of them get
     * 15,000 answers a second where 5 ms, the default of the Java client since Kafka 4.0 (KIP-1030), let them have 8,300 (measured).
     */
    LINGER_MS: durationMs.default(2),
    /** Records that may wait to be acknowledged; one more is answered 503 at once. */
    MAX_QUEUED_RECORDS: wholeNumber({ min: 1 }).default(10_000),
    /** No request is left without an answer for longer, from when its headers are there. */
    REQUEST_TIMEOUT_MS: wholeNumber({ min: 100, max: 600_000 }).default(10_000),
  })
  .superRefine(refineKafkaSettings)
  .refine(settings => settings.REQUEST_TIMEOUT_MS < settings.SHUTDOWN_TIMEOUT_MS, {
    path: ['REQUEST_TIMEOUT_MS'],
    error: 'must be below SHUTDOWN_TIMEOUT_MS, or a shutdown ends before the requests in flight do',
  })
  .refine(settings => settings.LINGER_MS <= settings.REQUEST_TIMEOUT_MS / 2, {
    path: ['LINGER_MS'],
    error:
      'must be at most half of REQUEST_TIMEOUT_MS, or the time of a record is over before it can be stored',
  })

export type Settings = z.output<typeof Settings>

/** The topic that is written. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return [{ ...entityTopicSpec(settings.KAFKA_TOPIC, size.replicationFactor), ...size }]
}

/** What may wait, and for how long. */
export function producerLimits(settings: Settings): Omit<GatheringProducerOptions, 'logger'> {
  return {
    lingerMs: settings.LINGER_MS,
    maxQueuedRecords: settings.MAX_QUEUED_RECORDS,
    // No record is as large as a request may be: MAX_QUEUED_RECORDS is the limit that is reached.
    maxQueuedBytes: settings.MAX_QUEUED_RECORDS * createRequestLimitBytes,
    // The rest is for the answer to travel: the request's own limit must hold.
    deliveryTimeoutMs: settings.REQUEST_TIMEOUT_MS * 0.9,
  }
}
