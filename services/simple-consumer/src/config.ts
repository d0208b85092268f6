import { kafkaSettings, refineKafkaSettings } from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'

/** All that simple-consumer reads. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('simple-consumer'),
    KAFKA_TOPICS: settingsTypes.list.default(['user', 'family', 'coworker']),
    /** Not set: every record of every partition comes here (broadcast). Set: the members of this group share them. */
    KAFKA_CONSUMER_GROUP: z.string().min(1).optional(),
    /** false: take the records and count them, print nothing. */
    PRINT: settingsTypes.flag.default(true),
    /** For topics that do not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: settingsTypes.wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: settingsTypes.wholeNumber({ min: 1 }).default(1),
  })
  .superRefine(refineKafkaSettings)
