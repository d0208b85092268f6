import { TOPICS, entityTopicSpec } from '@kafka-pattern/events'
import { kafkaSettings, refineKafkaSettings, replicationFactor } from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { TopicSpec } from '@kafka-pattern/kafka-config'

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
    KAFKA_TOPIC: z
      .string()
      .regex(/^[\w.-]{1,249}$/, 'must be a topic name: letters, digits, . _ -, at most 249')
      .default(TOPICS.user),
    /** For a topic that does not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /** How long a record waits for company in its produce request. */
    LINGER_MS: durationMs.default(5),
    /** Records that may wait to be acknowledged; one more is answered 503 at once. */
    MAX_QUEUED_RECORDS: wholeNumber({ min: 1 }).default(10_000),
    /** No request is left without an answer for longer. */
    REQUEST_TIMEOUT_MS: wholeNumber({ min: 100, max: 600_000 }).default(10_000),
  })
  .superRefine(refineKafkaSettings)
  .refine(settings => settings.REQUEST_TIMEOUT_MS < settings.SHUTDOWN_TIMEOUT_MS, {
    path: ['REQUEST_TIMEOUT_MS'],
    error: 'must be below SHUTDOWN_TIMEOUT_MS, or a shutdown ends before the requests in flight do',
  })

export type Settings = z.output<typeof Settings>

/** The topic that is written. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return [{ ...entityTopicSpec(settings.KAFKA_TOPIC, size.replicationFactor), ...size }]
}
