import type { Kafka } from 'kafkajs'
import type { Logger } from 'pino'

/** What a topic should be. `configs` are topic configs by Kafka's names, such as `cleanup.policy`. */
export interface TopicSpec {
  topic: string
  partitions: number
  replicationFactor: number
  configs?: Record<string, string>
}

export interface TopicDifference {
  /** 'partitions', 'replication factor', or the name of a topic config. */
  what: string
  wanted: string
  found: string
}

export interface TopicReport {
  topic: string
  outcome: 'created' | 'exists as wanted' | 'exists otherwise'
  /** Empty unless the topic exists otherwise. */
  differences: TopicDifference[]
}

/** Not implemented yet. */
export async function ensureTopics(
  _kafka: Kafka,
  _specs: TopicSpec[],
  _options: { logger: Logger; signal?: AbortSignal },
): Promise<TopicReport[]> {
  throw new Error('not implemented')
}
