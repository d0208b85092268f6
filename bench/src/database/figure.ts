/** A figure of the database patterns: what is prepared once for all its turns, and a turn. */
import { memoryBoundsOf } from '../memory-bounds.ts'
import { peakResidentMb, startNode, type Child } from '../run-script.ts'
import { mainFile } from '../run-service.ts'
import { startSource, type Connector } from './debezium.ts'
import { readTimeline, untilWritten } from './topics.ts'
import type { Contestant } from '../contestants.ts'
import type { Result } from '../task.ts'
import type { BenchDatabase, Databases } from './databases.ts'

export interface Turn {
  readonly contestant: Contestant
  /** 0 is a warm-up, of the length that the figure needs, and not counted. */
  readonly round: number
}

export interface PreparedFigure {
  run(turn: Turn): Promise<Result>
  close(): Promise<void>
}

export interface FigureOptions {
  readonly databases: Databases
  readonly turns: readonly Turn[]
  /** Multiplies the number of rows. */
  readonly scale: number
  /** Measured time of a figure that is not about a number of rows. */
  readonly durationMs: number
}

export type PrepareFigure = (options: FigureOptions) => Promise<PreparedFigure>

/** A contestant at work, whatever it is. */
export interface Running {
  /** Rejects, or throws when asked, once it has failed. */
  requireAlive(): Promise<void>
  residentMb(): number
  stop(): Promise<void>
}

let names = 0

/** A name that nothing in this run has had: of a connector, a group, a topic. */
export function freshName(kind: string): string {
  return `bench-${kind}-${++names}`
}

/** A service as docker-compose.yml runs it, as far as it matters for speed and memory. */
export function startService(
  databases: Databases,
  database: BenchDatabase,
  service: string,
  env: Record<string, string>,
): Child {
  return startNode([mainFile(service)], {
    NODE_ENV: 'production',
    ...memoryBoundsOf(service),
    KAFKA_BROKERS: databases.brokers.join(','),
    PORT: '0',
    PROBE_PORT: '0',
    ...database.env(service),
    ...env,
  })
}

/** A process of the benchmark or a service. */
export function runningProcess(child: Child): Running {
  return {
    requireAlive: () => Promise.resolve(child.requireAlive()),
    residentMb: () => peakResidentMb(child.pid),
    stop: () => child.stop(),
  }
}

/** A connector; its memory is that of the worker since now. */
export function runningConnector(connector: Connector): Running {
  connector.forgetPeak()
  return {
    requireAlive: () => connector.requireAlive(),
    residentMb: () => peakResidentMb(connector.pid),
    stop: () => connector.remove(),
  }
}

/** What publishes an outbox to `topic`, from the first row that is committed after it has started. */
export async function startPublisher(
  databases: Databases,
  database: BenchDatabase,
  { run }: Contestant,
  topic: string,
): Promise<Running> {
  if (run.kind === 'service') {
    // Every turn is a relay of its own: it must not meet the marks of the turn before, whose rows are gone.
    for (const table of ['relay_leases', 'relay_members']) await database.root.write(`DELETE FROM ${table}`)
    const fresh = { RELAY_NAME: freshName('relay'), KAFKA_CURSOR_TOPIC: freshName('cursor') }
    return runningProcess(startService(databases, database, run.service, { ...fresh, ...run.env }))
  }
  if (run.kind !== 'debezium') throw new TypeError(`nobody knows how to start a ${run.kind}`)
  const connector = await startSource(databases, database, {
    file: run.connector,
    name: freshName('outbox'),
    overrides: run.config,
    topic,
    follows: true,
  })
  return runningConnector(connector)
}

/** A peer is stopped after so long: its rate is known by then. */
export const peerLimitMs = 6_000

/**
 * Waits while a contestant publishes `rows` rows to a topic, ends it, and says how fast it was.
 * @throws when it fails, loses rows, or is exactly once and did something twice
 */
export async function measureDrain(
  databases: Databases,
  { contestant, round }: Turn,
  running: Running,
  { topic, rows }: { topic: string; rows: number },
): Promise<Result> {
  const isWarmUp = round === 0
  const isPeer = contestant.run.kind === 'debezium'
  let residentMb: number
  try {
    await untilWritten(databases, {
      topic,
      records: isWarmUp ? Math.round(rows / 3) : rows,
      orSoon: isWarmUp,
      ...(isPeer && !isWarmUp && { limitMs: peerLimitMs }),
      requireAlive: () => running.requireAlive(),
    })
    residentMb = running.residentMb()
  } finally {
    await running.stop()
  }
  const { records, distinct, perSecond } = await readTimeline(
    databases.kafka,
    topic,
    isWarmUp || isPeer ? 1 : rows,
  )
  if (contestant.exactlyOnce && records > distinct) {
    throw new Error(`${records - distinct} records of ${records} were published twice`)
  }
  return { value: perSecond, residentMb }
}
