/** One look at everything that can be behind. Its shape is that of `make lag JSON=1`. */
import { OUTBOX_CURSOR_TOPIC, USER_CHANGES_TOPIC } from '@kafka-pattern/events'
import {
  readConsumerGroups,
  readPartitionEnds,
  type ConsumerGroup,
  type Kafka,
} from '@kafka-pattern/kafka-config'
import { classifyMysqlError, type Mysql } from '@kafka-pattern/mysql-config'
import type { ComposeService } from '../compose-file/compose-file.ts'
import {
  judgeGroups,
  judgePositions,
  type GroupLag,
  type GroupPosition,
  type Listener,
} from './consumer-lag.ts'
import { readPollerCursors, type CursorLag, type FollowedTable } from './poller-cursors.ts'
import { readRelayLanes, type RelayLag } from './relay-lanes.ts'
import { readSinkPositions } from './sink-positions.ts'

export type LagReport = {
  /** ISO-8601 */
  at: string
  /** what consumer groups have committed, against the ends of the partitions */
  groups: GroupLag[]
  listeners: Listener[]
  /** the lanes of the outbox; only where a relay was started */
  relay?: RelayLag
  /** only where a poller was started */
  pollers?: CursorLag[]
  /** what the sinks keep in the database, against the ends of the partitions; only where a sink was started */
  sinks?: GroupLag[]
  /** why these three are missing: what the database said, or why it cannot be asked */
  withoutDatabase?: string
}

/** Where to look. A service that was not started is not asked about, nor is the database then. */
export type LagSources = {
  kafka: Kafka
  relay?: { mysql: Mysql; group: string; cursorTopic: string }
  poller?: { mysql: Mysql; tables: FollowedTable[] }
  sink?: { mysql: Mysql }
}

/**
 * Without the database, where it cannot be asked.
 * @throws what Kafka says when no broker has answered for some seconds
 */
export async function readLag(sources: LagSources): Promise<LagReport> {
  const { kafka, relay } = sources
  const at = new Date().toISOString()
  const all = await readConsumerGroups(kafka)
  const { positions, ...database } = await readDatabase(sources, all)
  // The numbers that a relay commits are those of a table: they have nothing to do with the ends of a topic.
  const groups = all.filter(({ committed }) => !committed.some(({ topic }) => topic === cursorTopicOf(relay)))
  const places = [
    ...groups.flatMap(({ committed, members }) => [...committed, ...members.flatMap(m => m.partitions)]),
    ...(positions ?? []),
  ]
  const ends = await readPartitionEnds(kafka, [...new Set(places.map(({ topic }) => topic))])
  return {
    at,
    ...judgeGroups(groups, ends),
    ...database,
    ...(positions && { sinks: judgePositions(positions, all, ends) }),
  }
}

type InDatabase = Pick<LagReport, 'relay' | 'pollers' | 'withoutDatabase'> & { positions?: GroupPosition[] }

async function readDatabase(
  { relay, poller, sink }: LagSources,
  groups: ConsumerGroup[],
): Promise<InDatabase> {
  try {
    const [lanes, pollers, positions] = await Promise.all([
      relay && readRelayLanes(relay.mysql, groups, relay),
      poller && readPollerCursors(poller.mysql, poller.tables),
      sink && readSinkPositions(sink.mysql),
    ])
    return { ...(lanes && { relay: lanes }), ...(pollers && { pollers }), ...(positions && { positions }) }
  } catch (error) {
    if (error instanceof Error && isOfDatabase(error)) return { withoutDatabase: error.message }
    throw error
  }
}

/** It does not answer, or refuses, as where infra/mysql was not loaded. */
function isOfDatabase(error: Error): boolean {
  return classifyMysqlError(error) === 'unavailable' || 'sqlState' in error
}

/** As docker-compose.yml has it set, or else the default of the service's own settings. */
export function relayOf({ environment }: ComposeService): { group: string; cursorTopic: string } {
  return {
    group: environment.RELAY_NAME ?? 'outbox-relay',
    cursorTopic: environment.KAFKA_CURSOR_TOPIC ?? OUTBOX_CURSOR_TOPIC,
  }
}

/** As docker-compose.yml has it set, or else the default of the service's own settings. */
export function followedTableOf({ environment }: ComposeService): FollowedTable {
  return {
    topic: environment.KAFKA_TOPIC ?? USER_CHANGES_TOPIC,
    table: environment.TABLE ?? 'users',
    updatedAtColumn: environment.UPDATED_AT_COLUMN ?? 'updated_at',
  }
}

function cursorTopicOf(relay: LagSources['relay']): string {
  return relay?.cursorTopic ?? OUTBOX_CURSOR_TOPIC
}
