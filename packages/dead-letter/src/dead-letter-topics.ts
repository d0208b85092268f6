import { ensureTopics, isTopicName, withAdmin } from '@kafka-pattern/kafka-config'
import type { Kafka, TopicSpec } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { deadLetterTopic } from './dead-letter.ts'

/**
 * The largest dead letter. More than a topic takes by default (1 MiB), because a record that just fitted there grows by its
 * dlt.* headers, and one that was compressed grows more: it must not be refused here, or its partition would wait for ever.
 * Give it to the producer of dead letters as `maxRecordBytes`.
 */
export const deadLetterMaxBytes = 16 * 1024 * 1024

/**
 * No limit, and yet one that was set: brokers before 4.0 take Java's Long.MAX_VALUE for unset, and go by `message.timestamp.difference.max.ms`
 * then. Brokers before 3.6 do not know the settings.
 */
const anyTime = String(2n ** 63n - 2n)

/**
 * How a dead-letter topic should be: as many partitions and replicas as the topic of its records has, so that a dead letter can
 * lie in the partition of the same number and keeps the order that it had. Nothing is deleted, whatever the brokers do by default with
 * topics that do not say: not by size, and not by age, for a dead letter has the timestamp of its record, so that a retention of 7 days
 * would delete an older record's dead letter as soon as it is written. Any timestamp is taken: by default brokers refuse one that is
 * more than an hour ahead (since Kafka 4.0), and can be told to refuse old ones, but the record's own topic may have allowed it.
 */
export function deadLetterTopicSpec(original: {
  topic: string
  group: string
  partitions: number
  replicationFactor: number
}): TopicSpec {
  const { topic, group, partitions, replicationFactor } = original
  return {
    topic: deadLetterTopic(topic, group),
    partitions,
    replicationFactor,
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'max.message.bytes': String(deadLetterMaxBytes),
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.after.max.ms': anyTime,
      'message.timestamp.before.max.ms': anyTime,
      'min.insync.replicas': replicationFactor >= 3 ? '2' : '1',
    },
  }
}

/**
 * Refuses a group of which a dead-letter topic cannot be named. For a service's schema: `.superRefine(refineDeadLetterTopics)`. Topics
 * that have no legal name themselves are left to their own check.
 */
export function refineDeadLetterTopics(
  settings: { KAFKA_TOPICS: string[]; KAFKA_CONSUMER_GROUP: string },
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  const impossible = settings.KAFKA_TOPICS.filter(isTopicName)
    .map(topic => deadLetterTopic(topic, settings.KAFKA_CONSUMER_GROUP))
    .find(name => !isTopicName(name))
  if (impossible === undefined) return
  context.addIssue({
    code: 'custom',
    path: ['KAFKA_CONSUMER_GROUP'],
    message: `is part of the names of dead-letter topics, and no topic can be named ${JSON.stringify(impossible)}`,
  })
}

/**
 * Creates the dead-letter topic of a topic and a group if it does not exist, after the topic's own partitions and replicas.
 * One that exists is taken as it is.
 *
 * @returns its number of partitions
 */
export async function ensureDeadLetterTopic(
  kafka: Kafka,
  { topic, group }: { topic: string; group: string },
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<number> {
  const name = deadLetterTopic(topic, group)
  const spec = await withAdmin(kafka, async admin => {
    const exists = (await admin.listTopics()).includes(name)
    const { topics } = await admin.fetchTopicMetadata({ topics: [exists ? name : topic] })
    const partitions = topics[0]?.partitions ?? []
    if (exists) return partitions.length
    return deadLetterTopicSpec({
      topic,
      group,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? 1,
    })
  })
  if (typeof spec === 'number') return spec
  await ensureTopics(kafka, [spec], { logger, signal })
  return spec.partitions
}
