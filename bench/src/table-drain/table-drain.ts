/** A whole table to its topic: cdc-poller with a cursor of its own, or the snapshot that a new connector begins with. */
import { startSource } from '../database/debezium.ts'
import {
  freshName,
  runningConnector,
  runningProcess,
  startService,
  watchTurn,
  type FigureOptions,
  type PreparedFigure,
  type Running,
  type Turn,
} from '../database/figure.ts'
import { fillUsers } from '../database/rows.ts'
import { readTimeline, recreateTopic } from '../database/topics.ts'

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
    // Without heartbeats the registration does not wait for the end of the snapshot.
    const overrides = { 'heartbeat.interval.ms': '0', ...run.config }
    return runningConnector(
      await startSource(databases, database, {
        file: run.connector,
        name: freshName('cdc'),
        overrides,
        topic,
      }),
    )
  }

  return {
    async run(turn) {
      const topic = freshName('users')
      await recreateTopic(databases, topic)
      const isWarmUp = turn.round === 0
      const wanted = isWarmUp ? Math.round(rows / 3) : rows
      const memory = await watchTurn(databases, await start(turn, topic), {
        topic,
        records: wanted,
        orSoon: isWarmUp,
      })
      const { perSecond } = await readTimeline(databases.kafka, topic, isWarmUp ? 1 : rows)
      await databases.admin.deleteTopics({ topics: [topic] })
      return { value: perSecond, ...memory }
    },
    close: () => database.drop(),
  }
}
