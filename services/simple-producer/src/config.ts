import { kafkaSettings, refineKafkaSettings } from '@kafka-pattern/kafka-config'
import { runtimeSettings, settingsTypes } from '@kafka-pattern/service-runtime'
import { z } from 'zod'

/** All that simple-producer reads. It runs once per entity: the name and the topic are what differs. */
export const Settings = z
  .object({
    ...runtimeSettings,
    ...kafkaSettings,
    KAFKA_CLUSTER_NAME: z.string().min(1).default('simple-producer'),
    HOST: z.string().default('127.0.0.1'),
    /** 0 = any free port; the log names it. */
    PORT: settingsTypes.port.default(3001),
    KAFKA_TOPIC: z
      .string()
      .regex(/^[\w.-]{1,249}$/, 'must be a topic name: letters, digits, . _ -, at most 249')
      .default('user'),
    /** For a topic that does not exist yet; one that exists is never changed. */
    TOPIC_PARTITIONS: settingsTypes.wholeNumber({ min: 1 }).default(3),
    TOPIC_REPLICATION_FACTOR: settingsTypes.wholeNumber({ min: 1 }).default(1),
    /** How long a record waits for company in its produce request. */
    LINGER_MS: settingsTypes.durationMs.default(5),
    /** Records that may wait to be acknowledged; one more is answered 503 at once. */
    MAX_QUEUED_RECORDS: settingsTypes.wholeNumber({ min: 1 }).default(10_000),
    /** No request is left without an answer for longer. */
    REQUEST_TIMEOUT_MS: settingsTypes.wholeNumber({ min: 100, max: 600_000 }).default(10_000),
  })
  .superRefine(refineKafkaSettings)
