import type { GroupConsumer, TopicPartition } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import { atLeastOnce } from './at-least-once.ts'
import { atMostOnce } from './at-most-once.ts'
import { effectivelyOnce } from './effectively-once.ts'
import type { Changes } from './read-changes.ts'
import type { Written } from './users-replica.ts'

/** One partition for as long as the group says that it is this process's. */
export interface OwnedPartition extends TopicPartition {
  /** Number of the assignment that it came with; the group refuses commits under an earlier one. */
  readonly assignment: number
}

/** The changes of a batch, and what part of the partition they are. */
export interface Delivery {
  readonly partition: OwnedPartition
  readonly changes: Changes
  /** The position before the batch: what the one before it left, or what `findPosition` found. */
  readonly from: string
  /** The position after it. */
  readonly to: string
}

/**
 * What became of a delivery:
 * - `applied`: it is in the replica, and the position is behind it;
 * - `overtaken`: the position is not where it was left; nothing was applied now, and `findPosition` says where to go on;
 * - `not owned`: the group has given the partition to somebody else.
 */
export type Outcome =
  { readonly state: 'applied'; readonly written: Written } | { readonly state: 'overtaken' | 'not owned' }

/** Where to go on: an offset, or wherever the group's own position is; or not at all. */
export type Position =
  { readonly state: 'at'; readonly offset: string } | { readonly state: "the group's" | 'not owned' }

/**
 * The order in which changes and position are stored: the one thing in which at-most-once, at-least-once and effectively-once
 * differ. Both methods throw what the database or the broker says; the caller judges it, waits, and calls again.
 */
export interface DeliveryMode {
  findPosition(partition: OwnedPartition): Promise<Position>
  deliver(delivery: Delivery): Promise<Outcome>
}

export interface DeliveryTools {
  readonly consumer: Pick<GroupConsumer, 'commit'>
  readonly mysql: Mysql
  /** The replica's name. */
  readonly table: string
  readonly group: string
  /** Told when the group did not take an offset that is only a copy of the database's. */
  readonly onGroupCommitFailed: (partition: OwnedPartition, error: unknown) => void
}

/** The modes by the names that the setting DELIVERY knows. */
export const deliveryModes = {
  'at-most-once': atMostOnce,
  'at-least-once': atLeastOnce,
  'effectively-once': effectivelyOnce,
} as const satisfies Record<string, (tools: DeliveryTools) => DeliveryMode>
