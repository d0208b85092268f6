/**
 * `make lag`: how far everybody is behind. On a terminal a table that is drawn anew every second, until Ctrl-C; into a pipe or a
 * file one look. `make lag JSON=1` (`--json`): one look as a JSON document. A look
 * without the database ends with 1.
 */
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import type { Mysql } from '@kafka-pattern/mysql-config'
import { ForeignCursorError } from '../services/outbox-relay/src/cursor-text.ts'
import { runCommand, untilInterrupted } from './command.ts'
import { timeOf } from './flow/format-log-line.ts'
import { quietKafka, requireKafka } from './kafka-client.ts'
import { followedTableOf, readLag, relayOf, type LagReport, type LagSources } from './lag/lag-report.ts'
import { lagTables } from './lag/lag-tables.ts'
import { showLive } from './lag/live-screen.ts'
import { isKafka } from './local-runtime/kafka-server.ts'
import { quietMysql } from './mysql-client.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import type { Runtime, ServiceStatus, Stack } from './runtime/runtime.ts'
import { isOwner } from './scale/lease-owner.ts'
import { brokersFromHere } from './stack-addresses.ts'
import { colors, print } from './terminal.ts'
import { UserError } from './user-error.ts'

const lookEveryMs = 1_000

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const statuses = await runtime.status()
  const started = statuses.map(status => status.service)
  if (!stack.file.services.some(service => isKafka(service) && started.includes(service.name))) {
    throw new UserError('Nothing runs, so nobody can be behind. `make up` starts it.')
  }
  const brokers = brokersFromHere(stack, runtime.kind)
  await requireKafka(brokers)
  const clients: Mysql[] = []
  const sources = sourcesOf(stack, runtime, started, brokers, clients)
  try {
    const asJson = process.argv.includes('--json')
    if (process.stdout.isTTY && !asJson) return await follow(sources, statuses)
    const report = await look(sources)
    if (asJson) print(JSON.stringify(report, null, 2))
    else for (const line of linesOf(report, statuses)) print(line)
    return report.withoutDatabase === undefined ? 0 : 1
  } finally {
    await Promise.all(clients.map(client => client.close()))
  }
})

/** Only of what was started, so that the database is not asked for where there is none. */
function sourcesOf(
  stack: Stack,
  { kind }: Runtime,
  started: string[],
  brokers: string,
  clients: Mysql[],
): LagSources {
  const serviceOf = (program: string) =>
    stack.file.services.find(service => service.program === program && started.includes(service.name))
  const clientOf = (user: string) => {
    const client = quietMysql(stack, kind, user)
    clients.push(client)
    return client
  }
  const relay = serviceOf('outbox-relay')
  const pollers = stack.file.services.filter(
    service => service.program === 'cdc-poller' && started.includes(service.name),
  )
  return {
    kafka: quietKafka(brokers, 'lag').kafka,
    ...(relay && { relay: { ...relayOf(relay), mysql: clientOf('outbox_relay') } }),
    ...(pollers.length > 0 && {
      poller: { tables: pollers.map(followedTableOf), mysql: clientOf('cdc_poller') },
    }),
    ...(serviceOf('mysql-sink-consumer') && { sink: { mysql: clientOf('mysql_sink_consumer') } }),
  }
}

/** When Kafka fails after the first look, that may be over with the next: it is said above the figures that were there before. */
async function follow(sources: LagSources, statuses: ServiceStatus[]): Promise<void> {
  let newest: LagReport | null = null
  await showLive(
    process.stdout,
    async () => {
      try {
        newest = await look(sources)
        return linesOf(newest, statuses)
      } catch (error) {
        if (newest === null || !(error instanceof UserError)) throw error
        return [colors.red(error.message), '', ...linesOf(newest, statuses)]
      }
    },
    lookEveryMs,
    untilInterrupted(),
  )
}

function linesOf(report: LagReport, statuses: ServiceStatus[]): string[] {
  const serviceOf = (owner: string) =>
    statuses.find(({ process: named }) => isOwner(owner, named, '-') || isOwner(owner, named, '/'))
      ?.service ?? null
  return [colors.dim(`How far behind at ${timeOf(report.at)}`), '', ...lagTables(report, serviceOf)]
}

/** @throws {UserError} when Kafka does not answer */
async function look(sources: LagSources): Promise<LagReport> {
  try {
    return await readLag(sources)
  } catch (error) {
    if (!isAnswerable(error)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new UserError(`The lag cannot be read now: ${reason}. \`make doctor\` looks closer.`)
  }
}

/** Kafka is away, or something not as it should be; everything else is a defect of this command. */
function isAnswerable(error: unknown): boolean {
  return error instanceof ForeignCursorError || classifyKafkaError(error) === 'retryable'
}
