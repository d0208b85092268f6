import type { CreateUserRequest, UserState } from '@kafka-pattern/events'
import type { Decide, Decision } from './user-change.ts'

/** How a user gets into the database, and the events about it on their way. Three files implement it: each is a lesson. */
export interface UserWriter {
  /**
   * Resolves when the user is stored.
   * @param correlationId of the request, for the events
   * @throws UnknownOutcomeError when it may be stored or not
   */
  create(request: CreateUserRequest, correlationId: string): Promise<Decision & { kind: 'changed' }>
  /** Locks the user, has `decide` say what becomes of it, and resolves when that is stored. Throws as `create` does. */
  change(id: UserState['id'], decide: Decide, correlationId: string): Promise<Decision>
}
