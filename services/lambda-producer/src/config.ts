import { TOPICS, entityTopicSpec } from '@kafka-pattern/events'
import {
  kafkaSettingsWithMskIam,
  refineKafkaSettings,
  replicationFactor,
  topicName,
} from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { TopicSpec } from '@kafka-pattern/kafka-config'

const { durationMs, wholeNumber } = settingsTypes

/** All that lambda-producer reads. Lambda itself sets AWS_REGION. */
export const Settings = z
  .object({
    ...kafkaSettingsWithMskIam,
    LOG_LEVEL: runtimeSettings.LOG_LEVEL,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('lambda-producer'),
    KAFKA_TOPIC: topicName.default(TOPICS.user),
    /** For a topic that does not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: replicationFactor,
    /** Kept of the function's remaining time for the answer itself to travel. */
    ANSWER_MARGIN_MS: durationMs.default(500),
    /**
     * Connections that are older are replaced before they are used. NAT gateways and load balancers of AWS forget one that was idle
     * for 350 s without telling either end; brokers close theirs after 10 minutes (connections.max.idle.ms).
     */
    CONNECTION_MAX_AGE_MS: durationMs.default(300_000),
    AWS_REGION: z.string().min(1).optional(),
  })
  .superRefine(refineKafkaSettings)
  .refine(settings => settings.KAFKA_SASL_MECHANISM !== 'aws-msk-iam' || settings.AWS_REGION !== undefined, {
    path: ['AWS_REGION'],
    error: 'is required by KAFKA_SASL_MECHANISM=aws-msk-iam',
  })

export type Settings = z.output<typeof Settings>

/** The topic that is written. */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const size = { partitions: settings.TOPIC_PARTITIONS, replicationFactor: settings.TOPIC_REPLICATION_FACTOR }
  return [{ ...entityTopicSpec(settings.KAFKA_TOPIC, size.replicationFactor), ...size }]
}
