/**
 * A backlog of events in the outbox, written while nobody published. Each turn publishes the whole of it to an empty topic: a relay
 * with a position of its own, or a connector that was stopped before the backlog was written and reads the binary log from there.
 */
import { outboxTopic } from '../../../packages/events/src/index.ts'
import { startSource, type Connector } from '../database/debezium.ts'
import {
  freshName,
  measureDrain,
  runningConnector,
  runningProcess,
  startPublisher,
  type FigureOptions,
  type PreparedFigure,
  type Running,
  type Turn,
} from '../database/figure.ts'
import { fillOutbox } from '../database/rows.ts'
import { recreateTopic, untilWritten } from '../database/topics.ts'
import { startScript } from '../run-script.ts'
import type { BenchDatabase } from '../database/databases.ts'

const topic = outboxTopic('user')

export async function prepareOutboxDrain({
  databases,
  turns,
  scale,
}: FigureOptions): Promise<PreparedFigure> {
  const rows = Math.round(400_000 * scale)
  const naiveRows = Math.round(10_000 * Math.min(1, scale))
  const database = await databases.createDatabase()
  const connectors = new Map<Turn, Connector>()
  await recreateTopic(databases, topic)
  for (const turn of turns) {
    const { run } = turn.contestant
    if (run.kind !== 'debezium') continue
    const connector = await startSource(databases, database, {
      file: run.connector,
      name: freshName('outbox'),
      overrides: run.config,
      topic,
      follows: true,
    })
    connectors.set(turn, connector)
  }
  // A first event gives each a position; without one it would begin with a snapshot of the backlog instead of reading the binary log.
  await fillOutbox(database, 1)
  await untilWritten(databases, {
    topic,
    records: connectors.size,
    requireAlive: async () => {
      for (const connector of connectors.values()) await connector.requireAlive()
    },
  })
  await Promise.all([...connectors.values()].map(connector => connector.stop()))
  console.error(`outbox-drain: writing ${rows.toLocaleString('en')} events`)
  await fillOutbox(database, rows - 1)

  async function start(turn: Turn, its: BenchDatabase): Promise<Running> {
    const { contestant } = turn
    if (contestant.run.kind === 'script') {
      return runningProcess(
        startScript(contestant.run.file, { brokers: databases.brokers, topic }, its.env('root')),
      )
    }
    const connector = connectors.get(turn)
    if (connector === undefined) return startPublisher(databases, its, contestant, topic)
    await connector.resume()
    return runningConnector(connector)
  }

  return {
    async run(turn) {
      await recreateTopic(databases, topic)
      const removesRows = turn.contestant.run.kind === 'script'
      const its = removesRows ? await databases.createDatabase() : database
      const count = removesRows ? naiveRows : rows
      try {
        if (removesRows) await fillOutbox(its, count)
        return await measureDrain(databases, turn, await start(turn, its), { topic, rows: count })
      } finally {
        if (removesRows) await its.drop()
      }
    },
    close: () => database.drop(),
  }
}
