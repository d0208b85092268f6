/** What the demo asks the brokers, one of whom may be dead. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  classifyKafkaError,
  readConsumerGroups,
  readPartitionEnds,
  withAdmin,
  type Kafka,
} from '@kafka-pattern/kafka-config'
import { UserError } from '../../user-error.ts'

/** Brokers by their node ids; a leader of -1 is none. */
export type PartitionReplicas = { partition: number; leader: number; inSync: number[] }

const pauseMs = 100

/** In the order of the partitions. */
export function replicasOf(kafka: Kafka, topic: string): Promise<PartitionReplicas[]> {
  return withAdmin(kafka, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics
      .flatMap(({ partitions }) => partitions)
      .map(({ partitionId, leader, isr }) => ({
        partition: partitionId,
        leader,
        inSync: isr.toSorted((a, b) => a - b),
      }))
      .toSorted((a, b) => a.partition - b.partition)
  })
}

/** How many records of the topic the group has not committed yet. */
export async function recordsLeftFor(kafka: Kafka, groupId: string, topic: string): Promise<number> {
  const group = (await readConsumerGroups(kafka)).find(each => each.groupId === groupId)
  const committed = new Map(
    group?.committed.filter(each => each.topic === topic).map(each => [each.partition, Number(each.offset)]),
  )
  const ends = await readPartitionEnds(kafka, [topic])
  return ends.reduce((left, { partition, end }) => left + Number(end) - (committed.get(partition) ?? 0), 0)
}

/**
 * Asks until the answer is true.
 * @throws {UserError} when it is not in time
 */
export async function until(timeoutMs: number, what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      if (await ask()) return
    } catch (error) {
      // The broker that was asked is the dead one: the next question goes to another.
      if (classifyKafkaError(error) !== 'retryable') throw error
    }
    if (performance.now() > deadline)
      throw new UserError(`${what}: not within ${timeoutMs / 1000} s. \`make doctor\` may say why.`)
    await delay(pauseMs)
  }
}
