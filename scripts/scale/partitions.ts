/** Instances that are members of one consumer group: each partition is one member's. */
import {
  readConsumerGroups,
  readPartitionEnds,
  type ConsumerGroup,
  type TopicPartition,
} from '@kafka-pattern/kafka-config'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { serviceOfInstance } from '../compose-file/instances.ts'
import { quietKafka } from '../kafka-client.ts'
import type { Runtime, Stack } from '../runtime/runtime.ts'
import { brokersFromHere } from '../stack-addresses.ts'
import type { Holdings, Sharing } from './sharing.ts'

export async function openPartitions(
  service: ComposeService,
  stack: Stack,
  kind: Runtime['kind'],
): Promise<Sharing> {
  const { KAFKA_CONSUMER_GROUP: groupId = service.name, KAFKA_TOPICS = '' } = service.environment
  const { kafka } = quietKafka(brokersFromHere(stack, kind), 'scale')
  const topics = KAFKA_TOPICS.split(',')
  const partitions = await readPartitionEnds(kafka, topics)
  return {
    how: `which share the ${partitions.length} partitions of ${topics.join(', ')}`,
    idles: 'idles',
    idleWarning(instances) {
      const idle = instances - partitions.length
      if (idle <= 0) return null
      return `There are ${partitions.length} partitions: ${idle} of the ${instances} instances will idle. Topics with more partitions give more of them work (docs/scaling.md).`
    },
    async holdings(instances) {
      const members = (await readConsumerGroups(kafka)).find(group => group.groupId === groupId)?.members
      const names = instances.map(({ name }) => name)
      return partitionsOf(members ?? [], { service: service.name, instances: names, partitions })
    },
    async close() {},
  }
}

/**
 * Pure: who has which partitions, once every instance is a member, no former one is any more, and every partition is somebody's (in the
 * midst of a rebalance none is). An instance that was killed stays a member until its session has timed out, and its successor is a
 * second one of its name until then.
 */
export function partitionsOf(
  members: ConsumerGroup['members'],
  expected: { service: string; instances: string[]; partitions: TopicPartition[] },
): Holdings | null {
  const isOurs = (name: string) =>
    name === expected.service || serviceOfInstance(name, [expected.service]) !== null
  const ours = members.map(({ clientId }) => clientId).filter(isOurs)
  if (ours.toSorted().join() !== expected.instances.toSorted().join()) return null
  const held = new Set(members.flatMap(({ partitions }) => partitions.map(placeOf)))
  if (!expected.partitions.every(partition => held.has(placeOf(partition)))) return null
  return new Map(members.map(({ clientId, partitions }) => [clientId, describePartitions(partitions)]))
}

/** "user/0,2 family/1" */
export function describePartitions(partitions: TopicPartition[]): string {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const places = [...byTopic].map(([topic, ofTopic]) => {
    const numbers = ofTopic.map(({ partition }) => partition).toSorted((a, b) => a - b)
    return `${topic}/${numbers.join()}`
  })
  return places.join(' ')
}

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
