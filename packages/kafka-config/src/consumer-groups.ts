/** What the brokers know of consumer groups: who is in them, what they have committed, and how far the topics go. */
import { retry } from '@kafka-pattern/retry'
// The names behind `AssignerProtocol` in kafkajs' exports are not found by Node's reading of CommonJS: the whole is imported.
import kafkajs from 'kafkajs'
import { classifyKafkaError } from './errors.ts'
import { withAdmin } from './kafka.ts'
import type { Admin, Kafka } from 'kafkajs'
import type { TopicPartition } from './group-consumer.ts'

export interface ConsumerGroup {
  groupId: string
  /** One for each consumer that is connected. */
  members: { clientId: string; partitions: TopicPartition[] }[]
  /** `offset` is the one to go on with; `metadata` is what the committer wrote beside it, '' for nothing. */
  committed: (TopicPartition & { offset: string; metadata: string })[]
}

export interface PartitionEnds extends TopicPartition {
  /** The oldest record that there is. */
  start: string
  /** The offset of the next record. */
  end: string
}

/**
 * Every group of the cluster that has members or committed offsets, by name; those of other protocols (Connect's workers) left out.
 * @throws what the brokers say, when none of the attempts of some seconds has found one that answers
 */
export function readConsumerGroups(kafka: Kafka): Promise<ConsumerGroup[]> {
  return ask(kafka, async admin => {
    const { groups } = await admin.listGroups()
    // Whoever only commits, without ever joining, has no protocol.
    const ids = groups.filter(({ protocolType }) => ['consumer', ''].includes(protocolType))
    const described = await admin.describeGroups(ids.map(({ groupId }) => groupId))
    const found = await Promise.all(
      described.groups.map(async ({ groupId, members }) => ({
        groupId,
        members: members.map(({ clientId, memberAssignment }) => ({
          clientId,
          partitions: partitionsOf(memberAssignment),
        })),
        committed: await committedOf(admin, groupId),
      })),
    )
    return found
      .filter(({ members, committed }) => members.length > 0 || committed.length > 0)
      .toSorted((a, b) => a.groupId.localeCompare(b.groupId))
  })
}

/**
 * Where these topics begin and end, in the order of topics and partitions. A topic that does not exist is left out.
 * @throws what the brokers say, when none of the attempts of some seconds has found one that answers
 */
export function readPartitionEnds(kafka: Kafka, topics: readonly string[]): Promise<PartitionEnds[]> {
  return ask(kafka, async admin => {
    const existing = new Set(await admin.listTopics())
    const ends = await Promise.all(
      topics
        .filter(topic => existing.has(topic))
        .map(async topic => {
          const partitions = await admin.fetchTopicOffsets(topic)
          return partitions.map(({ partition, low, high }) => ({ topic, partition, start: low, end: high }))
        }),
    )
    return ends.flat().toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition)
  })
}

/** The broker that is asked first may be the one that is away, and for some seconds the others name it, too. */
async function ask<T>(kafka: Kafka, question: (admin: Admin) => Promise<T>): Promise<T> {
  return retry(() => withAdmin(kafka, question), {
    policy: { kind: 'fixed', delayMs: 100, maxAttempts: 50, maxElapsedMs: 5_000 },
    isRetryable: error => classifyKafkaError(error) === 'retryable',
  })
}

/** Empty while the group rebalances. */
function partitionsOf(memberAssignment: Buffer): TopicPartition[] {
  if (memberAssignment.length === 0) return []
  const decoded = kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)
  return Object.entries(decoded?.assignment ?? {}).flatMap(([topic, partitions]) =>
    partitions.map(partition => ({ topic, partition })),
  )
}

async function committedOf(admin: Admin, groupId: string): Promise<ConsumerGroup['committed']> {
  const topics = await admin.fetchOffsets({ groupId })
  return topics.flatMap(({ topic, partitions }) =>
    partitions
      .filter(({ offset }) => offset !== '-1')
      .map(({ partition, offset, metadata }) => ({ topic, partition, offset, metadata: metadata ?? '' })),
  )
}
