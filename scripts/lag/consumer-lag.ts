/** How far consumers are behind the topics: pure arithmetic over what the brokers, or the database, say. */
import type { ConsumerGroup, PartitionEnds, TopicPartition } from '@kafka-pattern/kafka-config'

/** `position` is the next offset to read, `end` the next one to be written: lag = end - position. */
export type PartitionLag = {
  topic: string
  partition: number
  /** null: none yet */
  position: string | null
  end: string
  /** records, and markers of transactions; null without a position */
  lag: number | null
  /** the client id of the consumer that has the partition now; null = nobody */
  consumer: string | null
}

export type GroupLag = {
  group: string
  /** of all partitions that have a position */
  lag: number
  partitions: PartitionLag[]
}

/** Has committed nothing, yet or ever, as simple-consumer does: there is no position to compare with. */
export type Listener = { group: string; consumers: string[]; partitions: number }

/** A position that somebody keeps for a group: the group itself on the broker, or a sink in its database. */
export type GroupPosition = TopicPartition & { group: string; offset: string }

/** Groups that have committed something, and those that have members only. */
export function judgeGroups(
  groups: readonly ConsumerGroup[],
  ends: readonly PartitionEnds[],
): { groups: GroupLag[]; listeners: Listener[] } {
  const committing = groups.filter(({ committed }) => committed.length > 0)
  const listening = groups.filter(({ committed, members }) => committed.length === 0 && members.length > 0)
  return {
    groups: committing.map(group =>
      lagOf(group.groupId, group.committed, assignedOf(group), ends, consumersOf(group)),
    ),
    listeners: listening.map(group => ({
      group: group.groupId,
      consumers: group.members.map(({ clientId }) => clientId),
      partitions: assignedOf(group).length,
    })),
  }
}

/** The same for positions that are kept elsewhere; who has a partition is still the group's to tell. */
export function judgePositions(
  positions: readonly GroupPosition[],
  groups: readonly ConsumerGroup[],
  ends: readonly PartitionEnds[],
): GroupLag[] {
  return [...Map.groupBy(positions, ({ group }) => group)].map(([name, ofGroup]) => {
    const group = groups.find(({ groupId }) => groupId === name)
    return lagOf(name, ofGroup, [], ends, group === undefined ? new Map() : consumersOf(group))
  })
}

function lagOf(
  group: string,
  positions: readonly (TopicPartition & { offset: string })[],
  assigned: readonly TopicPartition[],
  ends: readonly PartitionEnds[],
  consumers: ReadonlyMap<string, string>,
): GroupLag {
  const offsets = new Map(positions.map(position => [nameOf(position), position.offset]))
  const concerned = new Set([...offsets.keys(), ...assigned.map(nameOf)])
  // A topic that was deleted has no end, and nobody is behind it.
  const partitions = ends
    .filter(end => concerned.has(nameOf(end)))
    .map(({ topic, partition, end }) => {
      const name = nameOf({ topic, partition })
      const position = offsets.get(name) ?? null
      const lag = position === null ? null : Math.max(0, Number(BigInt(end) - BigInt(position)))
      return { topic, partition, position, end, lag, consumer: consumers.get(name) ?? null }
    })
  return { group, lag: partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0), partitions }
}

function assignedOf({ members }: ConsumerGroup): TopicPartition[] {
  return members.flatMap(({ partitions }) => partitions)
}

function consumersOf({ members }: ConsumerGroup): Map<string, string> {
  return new Map(
    members.flatMap(({ clientId, partitions }) => partitions.map(each => [nameOf(each), clientId] as const)),
  )
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
