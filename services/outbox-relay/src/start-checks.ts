/** What a relay requires before it publishes anything: that the database, Kafka and its settings belong together. */
import { requireSchema, waitForMysql } from '@kafka-pattern/mysql-config'
import { requireCursorTopic, requireMemory, requireSameTable } from './committed-cursors.ts'
import { cursorTopicSpec } from './config.ts'
import { notedMarks, requireLanes } from './lane-leases.ts'
import { requireDenseNumbers } from './outbox-end.ts'
import { requireRights } from './required-rights.ts'
import type { CommittedCursors } from './committed-cursors.ts'
import type { Settings } from './config.ts'
import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'

/**
 * Creates the topic of the positions and the rows of the lanes when they are not there yet; waits while the database or brokers are away.
 * @throws SchemaError, MismatchError, LaneCountError, ForeignCursorError with one sentence: what does not fit, and what to do
 * @throws AbortError
 */
export async function checkStart(
  settings: Settings,
  { kafka, mysql, cursors }: { kafka: Kafka; mysql: Mysql; cursors: CommittedCursors },
  during: { logger: Logger; signal: AbortSignal },
): Promise<void> {
  await waitForMysql(mysql, during, async () => {
    await requireSchema(mysql, 'outbox-relay', 1)
    await requireRights(mysql)
    await requireDenseNumbers(mysql)
    await requireLanes(mysql, settings.RELAY_LANES)
  })
  await requireCursorTopic(kafka, cursorTopicSpec(settings), during)
  await waitForMysql(mysql, during, async () => {
    const marks = await notedMarks(mysql)
    const published = await cursors.read(during.signal)
    const unknown = published.flatMap(({ high }, lane) => (high === 0 ? [lane] : []))
    requireMemory(marks, unknown)
    await requireSameTable(mysql, published)
  })
}
