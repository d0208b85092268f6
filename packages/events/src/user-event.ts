import { z } from 'zod'

const level = z.int().min(0).max(100)
// Half of a surrogate pair is no character: MySQL would store U+FFFD in its place, and the event another name than the row.
const name = z
  .string()
  .min(1)
  .max(200)
  .refine(text => text.isWellFormed(), 'must be well-formed Unicode')

/**
 * A DATETIME(6) of the database: ISO-8601, UTC, microseconds. Takes one to six digits of a second, or none, as Debezium writes
 * them (`time.precision.mode=isostring` leaves trailing zeros away), and gives six, so that equal moments are equal texts.
 */
const timestamp = z.iso
  .datetime()
  .regex(/T\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/, 'must be UTC with seconds and at most microseconds')
  .overwrite(text => `${text.slice(0, 19)}.${text.slice(20, -1).padEnd(6, '0')}Z`)

/**
 * A user as it was after a change: the value of every record on `cdc.users` and `outbox.event.user`, with the names of the
 * table's columns. `version` goes up with every event, so of two states of one user the one with the higher version is
 * the later, in whatever order they arrive. `deleted_at` is set in the last state of a deleted user. The record's key is `id`.
 * Unknown fields are dropped.
 */
export const UserState = z.object({
  id: z.uuid(),
  name,
  level,
  version: z.int().min(1),
  created_at: timestamp,
  updated_at: timestamp,
  deleted_at: timestamp.nullable(),
})
export type UserState = z.output<typeof UserState>

/** What can happen to a user: the header `event-type` of every record on `outbox.event.user`. */
export const USER_EVENT_TYPES = ['UserCreated', 'UserRenamed', 'UserLevelChanged', 'UserDeleted'] as const
export type UserEventType = (typeof USER_EVENT_TYPES)[number]

/** What `POST /users` accepts. Unknown fields are dropped. */
export const CreateUserRequest = z.object({ name, level })
export type CreateUserRequest = z.output<typeof CreateUserRequest>

/** What `PUT /users/:id` accepts: a new name, a new level or both; `version` is the one that the change was made from. */
export const ChangeUserRequest = z
  .object({ name: name.optional(), level: level.optional(), version: z.int().min(1).optional() })
  .refine(
    change => change.name !== undefined || change.level !== undefined,
    'must hold a name, a level or both',
  )
export type ChangeUserRequest = z.output<typeof ChangeUserRequest>
