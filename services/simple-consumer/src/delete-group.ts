import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from '@kafka-pattern/service-runtime'

/**
 * Deletes a group whose last member has left. If that fails it is logged and left at that: what stays is a name without
 * members and offsets, which the broker drops at its next check (offsets.retention.check.interval.ms, 10 min).
 */
export async function deleteGroup(kafka: Kafka, groupId: string, logger: Logger): Promise<void> {
  // Tried once: the shutdown must not wait for a broker that is away.
  const admin = kafka.admin({ retry: { retries: 0 } })
  try {
    await admin.connect()
    await admin.deleteGroups([groupId])
  } catch (error) {
    logger.warn({ err: error, groupId }, 'the group was not deleted; the broker drops it by itself')
  } finally {
    await admin.disconnect()
  }
}
