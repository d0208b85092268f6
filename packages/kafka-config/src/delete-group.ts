import type { Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { withAdmin } from './kafka.ts'

/** Whoever deletes its group is about to end, and must not wait for a broker that is away. */
const deletionLimitMs = 5_000

/**
 * Deletes a group whose last member has left. Never throws and takes 5 s at most: a failure is logged and left at that.
 * What then stays is a name without members; without offsets the broker drops it at its next check
 * (offsets.retention.check.interval.ms, 10 min).
 */
export async function deleteGroup(kafka: Kafka, groupId: string, logger: Logger): Promise<void> {
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => limit.reject(new Error(`no answer within ${deletionLimitMs} ms`)),
    deletionLimitMs,
  )
  try {
    await Promise.race([withAdmin(kafka, admin => admin.deleteGroups([groupId])), limit.promise])
  } catch (error) {
    logger.warn({ err: error, groupId }, 'the group was not deleted; the broker drops it by itself')
  } finally {
    clearTimeout(timer)
  }
}
