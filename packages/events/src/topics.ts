/** The topics of the pub/sub pattern: one per kind of entity, each written by its own producer. */
export const TOPICS = { user: 'user', family: 'family', coworker: 'coworker' } as const

/** The newest state of every row of the table `users`, then a tombstone for each that is deleted. */
export const USER_CHANGES_TOPIC = 'cdc.users'

/** Holds no records: the relay's position in the outbox is committed as the offset of a consumer group on this topic, one partition a lane. */
export const OUTBOX_CURSOR_TOPIC = 'outbox.cursor'

/** Where the events of a kind of aggregate (`user`) go, as Debezium's outbox event router names it. */
export const outboxTopic = (aggregateType: string): string => `outbox.event.${aggregateType}`

/** How a topic must exist before anyone writes to it. */
type TopicSpec = {
  topic: string
  partitions: number
  /** -1: the brokers' default */
  replicationFactor: number
  configs: Record<string, string>
}

/**
 * A topic of pub/sub. Three partitions let three members of a consumer group share the work. With three or more replicas a write
 * needs two of them, so that one lost broker neither stops the topic nor loses an acknowledged record.
 */
export function entityTopicSpec(topic: string, replicationFactor = -1): TopicSpec {
  return { topic, partitions: 3, replicationFactor, configs: durability(replicationFactor) }
}

/** A topic of a table's rows: compacted, so that it always holds the newest state of every key, however old that is. */
export function changesTopicSpec(topic: string, replicationFactor = -1): TopicSpec {
  return {
    topic,
    partitions: 3,
    replicationFactor,
    configs: { ...durability(replicationFactor), 'cleanup.policy': 'compact' },
  }
}

/** A topic of events: every one of them, in order per aggregate, for as long as the broker keeps its topics. */
export function outboxTopicSpec(aggregateType: string, replicationFactor = -1): TopicSpec {
  return entityTopicSpec(outboxTopic(aggregateType), replicationFactor)
}

/** The topic on which the position of each lane is committed. */
export function outboxCursorTopicSpec(
  lanes: number,
  replicationFactor = -1,
  topic = OUTBOX_CURSOR_TOPIC,
): TopicSpec {
  return { topic, partitions: lanes, replicationFactor, configs: durability(replicationFactor) }
}

/** Who leaves the number of replicas to the brokers (-1) leaves it to them, too, how many a write needs. */
function durability(replicationFactor: number): Record<string, string> {
  if (replicationFactor === -1) return {}
  return { 'min.insync.replicas': replicationFactor >= 3 ? '2' : '1' }
}
