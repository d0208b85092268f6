/**
 * Broker properties that make a cluster of `brokers` brokers pleasant to develop and test with, whatever it runs in:
 * one broker is enough for everything, and nothing waits for others that will not come.
 */
export function developmentDefaults(brokers: number): Record<string, string | number | boolean> {
  const replicationFactor = Math.min(brokers, 3)
  const minInsyncReplicas = replicationFactor === 3 ? 2 : 1
  return {
    // A mistyped topic name shall be an error, not a new topic.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicationFactor,
    'min.insync.replicas': minInsyncReplicas,
    // Kafka's internal topics ask for three replicas unless told otherwise, and would wait for ever on one broker.
    'offsets.topic.replication.factor': replicationFactor,
    'transaction.state.log.replication.factor': replicationFactor,
    'transaction.state.log.min.isr': minInsyncReplicas,
    'share.coordinator.state.topic.replication.factor': replicationFactor,
    'share.coordinator.state.topic.min.isr': minInsyncReplicas,
    // 50 partitions each by default: a second or more of the first group's and the first transaction's time.
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.num.partitions': 8,
    // A killed broker is let in again only when its old session has run out: 9 s by default.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    // A group's first member need not wait 3 s for others that may come.
    'group.initial.rebalance.delay.ms': 0,
    // By default the controllers write a record every half second, and every broker wakes for it: a third of what idle brokers cost.
    'metadata.max.idle.interval.ms': 0,
  }
}
