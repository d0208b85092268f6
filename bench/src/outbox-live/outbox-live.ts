/**
 * Eight writers fill the outbox as fast as they can while it is published: the rate is that of the events, from the first write to the
 * last record, and beside it stands the pace of the writers, who must not pay for the publishing.
 */
import { outboxTopic } from '../../../packages/events/src/index.ts'
import { startPublisher, type FigureOptions, type PreparedFigure } from '../database/figure.ts'
import { insertIntoOutbox, outboxValues, userChanges } from '../database/rows.ts'
import { readTimeline, recreateTopic, untilWritten } from '../database/topics.ts'
import { startScript } from '../run-script.ts'
import type { BenchDatabase, Databases } from '../database/databases.ts'
import type { Running } from '../database/figure.ts'

const topic = outboxTopic('user')

export function prepareOutboxLive({ databases, scale }: FigureOptions): Promise<PreparedFigure> {
  const rows = Math.round(200_000 * scale)
  return Promise.resolve({
    async run({ contestant }) {
      const database = await databases.createDatabase()
      await recreateTopic(databases, topic)
      const publisher = await startPublisher(databases, database, contestant, topic)
      try {
        await untilFollowing(databases, database, publisher)
        const writers = startScript('outbox-live/writers.ts', { records: rows }, database.env('root'))
        const written = (await writers.line(line => 'startedAtMs' in line)) as {
          startedAtMs: number
          perSecond: number
        }
        await writers.stop()
        const requireAlive = () => publisher.requireAlive()
        await untilWritten(databases, { topic, records: rows + 1, requireAlive })
        const residentMb = publisher.residentMb()
        const { lastAtMs } = await readTimeline(databases.kafka, topic, rows + 1)
        const value = rows / ((lastAtMs - written.startedAtMs) / 1000)
        return { value, residentMb, writtenPerSecond: written.perSecond }
      } finally {
        await publisher.stop()
        await database.drop()
      }
    },
    close: () => Promise.resolve(),
  })
}

/** Resolves when the first event of this database, written here, has been published. */
export async function untilFollowing(
  databases: Databases,
  { root }: BenchDatabase,
  publisher: Running,
): Promise<void> {
  for (const state of userChanges(1)) await root.write(insertIntoOutbox + outboxValues(state))
  const requireAlive = () => publisher.requireAlive()
  await untilWritten(databases, { topic, records: 1, orSoon: true, requireAlive })
}
