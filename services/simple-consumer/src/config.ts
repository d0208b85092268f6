import { TOPICS, entityTopicSpec } from '@kafka-pattern/events'
import {
  kafkaSettings,
  refineKafkaSettings,
  replicationFactor,
  topicNames,
} from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { TopicSpec } from '@kafka-pattern/kafka-config'

const { flag, list, wholeNumber } = settingsTypes

/** All that simple-consumer reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('simple-consumer'),
    /** Topics to read. */
    KAFKA_TOPICS: list.pipe(topicNames).default(Object.values(TOPICS)),
    /** Not set: every record of every partition comes here (broadcast). Set: the members of this group share them. */
    KAFKA_CONSUMER_GROUP: z.string().min(1).optional(),
    /** false: take the records and count them, print nothing. */
    PRINT: flag.default(true),
    /** For topics that do not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
  })
  .superRefine(refineKafkaSettings)

export type Settings = z.output<typeof Settings>

/** The topics that are read. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return settings.KAFKA_TOPICS.map(topic => ({ ...entityTopicSpec(topic, size.replicationFactor), ...size }))
}
