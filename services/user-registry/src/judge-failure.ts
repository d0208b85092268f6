import { classifyMysqlError, UnknownOutcomeError } from '@kafka-pattern/mysql-config'
import { EventLostError } from './dual-write.ts'

/** Not now, but later, without anybody changing anything. */
export interface Unavailable {
  /** For the caller; names no host. */
  readonly reason: string
  readonly retryAfterSeconds: number
}

/** The database took longer than the request may; what was begun there goes on. */
export class DeadlineError extends Error {
  constructor(limitMs: number) {
    super(`the database took longer than ${limitMs} ms`)
    this.name = 'DeadlineError'
  }
}

/** Long enough for a database to restart; those who are in each other's way need less. */
const retryAfterOutageSeconds = 5
const retryAfterSeconds = 1

/**
 * What a failed request means for its caller; null if trying again cannot help, so that it is a defect to report. Whether
 * something was stored is said as far as it is known.
 */
export function judgeFailure(error: unknown): Unavailable | null {
  if (error instanceof UnknownOutcomeError) {
    return {
      reason:
        'the database was lost during the commit; the change may have been stored: read the user to know',
      retryAfterSeconds: retryAfterOutageSeconds,
    }
  }
  if (error instanceof DeadlineError) {
    return {
      reason: 'the database did not answer in time; the change may yet be stored: read the user to know',
      retryAfterSeconds: retryAfterOutageSeconds,
    }
  }
  if (error instanceof EventLostError) {
    return { reason: error.message, retryAfterSeconds: retryAfterOutageSeconds }
  }
  switch (classifyMysqlError(error)) {
    case 'unavailable':
      return {
        reason: 'the database is not available; nothing was stored',
        retryAfterSeconds: retryAfterOutageSeconds,
      }
    case 'retry transaction':
      return { reason: 'others hold this user for too long; nothing was stored', retryAfterSeconds }
    default:
      return null
  }
}
