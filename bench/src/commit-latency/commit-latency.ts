/** From the answer to a COMMIT until a read_committed consumer has the event, at 1,000 commits a second of one event each. */
import { outboxTopic } from '../../../packages/events/src/index.ts'
import { startPublisher, type FigureOptions, type PreparedFigure } from '../database/figure.ts'
import { recreateTopic } from '../database/topics.ts'
import { untilFollowing } from '../outbox-live/outbox-live.ts'
import { startScript } from '../run-script.ts'
import type { Result } from '../task.ts'

const topic = outboxTopic('user')

/**
 * The JVMs of the broker and of the worker compile a method once it has been called thousands of times, and a transaction calls each
 * of its own once: p99 was 71 ms after half a minute, 35 ms after one, 23 ms after one and a half, and stayed there. Brokers run
 * for weeks, so it is the later figure that counts.
 */
const warmUpMs = 90_000

export function prepareCommitLatency({ databases, durationMs }: FigureOptions): Promise<PreparedFigure> {
  return Promise.resolve({
    async run({ contestant, round }) {
      const database = await databases.createDatabase()
      await recreateTopic(databases, topic)
      const publisher = await startPublisher(databases, database, contestant, topic)
      try {
        await untilFollowing(databases, database, publisher)
        const load = startScript(
          'commit-latency/load.ts',
          {
            brokers: databases.brokers,
            topic,
            warmUpMs: 2_000,
            durationMs: round === 0 ? warmUpMs : durationMs,
          },
          database.env('root'),
        )
        const measured = (await load.line(line => 'value' in line)) as unknown as Result
        await load.stop()
        return { ...measured, residentMb: publisher.residentMb() }
      } finally {
        await publisher.stop()
        await database.drop()
      }
    },
    close: () => Promise.resolve(),
  })
}
