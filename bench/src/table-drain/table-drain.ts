/** A whole table to its topic: cdc-poller with a cursor of its own, or the snapshot that a new connector begins with. */
import { startSource } from '../database/debezium.ts'
import {
  freshName,
  measureDrain,
  runningConnector,
  runningProcess,
  startService,
  type FigureOptions,
  type PreparedFigure,
  type Running,
  type Turn,
} from '../database/figure.ts'
import { fillUsers } from '../database/rows.ts'
import { recreateTopic } from '../database/topics.ts'

export async function prepareTableDrain({ databases, scale }: FigureOptions): Promise<PreparedFigure> {
  const rows = Math.round(500_000 * scale)
  const database = await databases.createDatabase()
  console.error(`table-drain: writing ${rows.toLocaleString('en')} users`)
  await fillUsers(database, rows)

  async function start({ contestant: { run } }: Turn, topic: string): Promise<Running> {
    if (run.kind === 'service') {
      return runningProcess(
        startService(databases, database, run.service, { KAFKA_TOPIC: topic, ...run.env }),
      )
    }
    if (run.kind !== 'debezium') throw new TypeError(`nobody knows how to start a ${run.kind}`)
    return runningConnector(
      await startSource(databases, database, {
        file: run.connector,
        name: freshName('cdc'),
        overrides: run.config,
        topic,
        // It is the snapshot that is measured.
        follows: false,
      }),
    )
  }

  return {
    async run(turn) {
      const topic = freshName('users')
      await recreateTopic(databases, topic)
      try {
        return await measureDrain(databases, turn, await start(turn, topic), { topic, rows })
      } finally {
        await databases.admin.deleteTopics({ topics: [topic] })
      }
    },
    close: () => database.drop(),
  }
}
