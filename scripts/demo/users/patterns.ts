/** The four ways from a row to its replica: who takes part in each, and what it promises. */
import { outboxTopic, USER_CHANGES_TOPIC } from '@kafka-pattern/events'

export type Pattern = {
  /** names of services in docker-compose.yml */
  registry: string
  /** publishes what the registry wrote */
  reader: string
  sink: string
  topic: string
  /** 'outbox': each change writes its event into the table outbox, in the transaction of its row */
  writes: 'row' | 'row and event'
  pledge: Pledge
}

export type Pledge = {
  /** which states of a user come to the topic */
  states: 'every' | 'the newest'
  times: 'exactly once' | 'at least once'
  /** a deleted user's last record is a tombstone, so that compaction forgets it */
  tombstones: boolean
}

const cdc = {
  registry: 'cdc-registry',
  sink: 'cdc-sink',
  topic: USER_CHANGES_TOPIC,
  writes: 'row',
} as const

const outbox = {
  registry: 'outbox-registry',
  sink: 'outbox-sink',
  topic: outboxTopic('user'),
  writes: 'row and event',
} as const

/** By the names of their profiles. */
export const patterns: Record<string, Pattern> = {
  cdc: {
    ...cdc,
    reader: 'cdc-poller',
    pledge: { states: 'the newest', times: 'at least once', tombstones: true },
  },
  outbox: {
    ...outbox,
    reader: 'outbox-relay',
    pledge: { states: 'every', times: 'exactly once', tombstones: false },
  },
  // The binary log has every state of every row; and what deletes a user is an update of its row, so no tombstone follows.
  'cdc-debezium': {
    ...cdc,
    reader: 'connect',
    pledge: { states: 'every', times: 'at least once', tombstones: false },
  },
  'outbox-debezium': {
    ...outbox,
    reader: 'connect',
    pledge: { states: 'every', times: 'at least once', tombstones: false },
  },
}
