import { randomUUID } from 'node:crypto'

/** How this process takes part: alone, so that it sees every record, or as one of the members that share them. */
export type Membership =
  | { readonly mode: 'broadcast'; readonly groupId: string }
  | { readonly mode: 'shared'; readonly groupId: string }

/**
 * Kafka gives each record to one member of each group. A group that nobody else can be in is therefore a broadcast; its
 * name begins with the client's, so that `kafka-consumer-groups.sh --list` says whose it is.
 */
export function chooseMembership(settings: {
  KAFKA_CONSUMER_GROUP?: string | undefined
  KAFKA_CLUSTER_NAME: string
}): Membership {
  const { KAFKA_CONSUMER_GROUP: group, KAFKA_CLUSTER_NAME: client } = settings
  if (group === undefined) return { mode: 'broadcast', groupId: `${client}.broadcast.${randomUUID()}` }
  return { mode: 'shared', groupId: group }
}
