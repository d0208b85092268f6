/** The topics of the pub/sub pattern: one per kind of entity, each written by its own producer. */
export const TOPICS = { user: 'user', family: 'family', coworker: 'coworker' } as const

/**
 * How an entity topic must exist before anyone writes to it. Three partitions let three members of a consumer
 * group share the work. With three or more replicas a write needs two of them, so that one lost broker neither
 * stops the topic nor loses an acknowledged record.
 */
export function entityTopicSpec(
  topic: string,
  replicationFactor = 1,
): { topic: string; partitions: number; replicationFactor: number; configs: Record<string, string> } {
  return {
    topic,
    partitions: 3,
    replicationFactor,
    configs: { 'min.insync.replicas': replicationFactor >= 3 ? '2' : '1' },
  }
}
