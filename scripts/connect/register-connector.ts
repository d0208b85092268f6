/**
 * Registers a connector with Kafka Connect from a file of infra/connect, and does not return before it works: Connect answers a
 * registration with 201 long before the connector has read its first row, and what goes wrong then is found only in its status.
 */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { requireGrants, SchemaError, type Mysql } from '@kafka-pattern/mysql-config'
import { z } from 'zod'
import { UserError } from '../user-error.ts'
import { controlConnector, type ConnectorControl } from './connector-control.ts'
import { fillRegistration, type Registration } from './fill-registration.ts'

/** Values of CONNECTOR_CLASS: MySQL and MariaDB write binary logs of their own kinds. */
export const connectorClasses = {
  mysql: 'io.debezium.connector.mysql.MySqlConnector',
  mariadb: 'io.debezium.connector.mariadb.MariaDbConnector',
} as const

export type RegisterOptions = {
  /** of Connect's REST interface, e.g. http://127.0.0.1:8083 */
  connectUrl: string
  /** path of a file of infra/connect */
  registrationFile: string
  /** for the placeholders in the file; CONNECTOR_NAME is the file's name and SERVER_ID follows from it, unless given */
  variables: Record<string, string>
  /** connector properties in the place of the file's or beside them, e.g. `poll.interval.ms` */
  overrides?: Record<string, string>
  /**
   * A client of the connector's own database user, without which no more is checked than what Connect says. With it, what Debezium
   * does not say well is asked first: a table that its user may not read is to it one that does not exist, so it runs and captures
   * nothing; and where it may not ask for the position in the binary log, MySQL's connector blames the syntax of its question.
   */
  mysql?: Mysql
  /** told each step; silent by default */
  progress?: (line: string) => void
  /** how long it may take until it runs, 60 s by default; its snapshot may take as long as it likes */
  timeoutMs?: number
}

const pollIntervalMs = 100
const restingStates = new Set(['FAILED', 'STOPPED', 'PAUSED'])
const configSchema = z.record(z.string(), z.string())

/**
 * Creates the connector, or changes it where its configuration is another one, and restarts one that has failed. Resolves when it
 * runs and, with `mysql`, has taken its snapshot and follows the binary log.
 * @throws {UserError} with one sentence that says why not, in the words of the connector
 */
export async function registerConnector(options: RegisterOptions): Promise<void> {
  const { progress = () => {}, timeoutMs = 60_000 } = options
  const registration = fillRegistration(
    basename(options.registrationFile, '.json'),
    await readFile(options.registrationFile, 'utf8'),
    options.variables,
    options.overrides,
  )
  const { name } = registration
  if (options.mysql !== undefined) await requireRights(options.mysql, registration)

  const connector = controlConnector(options.connectUrl, name)
  const before = await (options.mysql && binlogReaders(options.mysql))
  const change = await applyConfig(connector, registration, timeoutMs)
  progress(`connector ${name}: ${change}`)
  await connector.waitUntil('RUNNING', timeoutMs)
  if (options.mysql !== undefined && before !== undefined) {
    progress(`connector ${name}: takes its snapshot, unless it has one`)
    // One that is as it was may follow already, or still take its snapshot.
    const others = change === 'is as registered before' ? new Set<string>() : before
    await waitUntilFollowing(connector, options.mysql, others)
  }
  progress(`connector ${name}: running`)
}

type Change = 'registered' | 'changed' | 'started anew' | 'is as registered before'

async function applyConfig(
  connector: ConnectorControl,
  { name, config }: Registration,
  timeoutMs: number,
): Promise<Change> {
  const before = await connector.get('/config')
  const isSame = before !== null && sameConfig(configSchema.parse(before), { ...config, name })
  const isResting = (await connector.states()).some(({ state }) => restingStates.has(state))
  if (isSame && !isResting) return 'is as registered before'
  await connector.change('PUT', '/config', config)
  if (before === null) return 'registered'
  // A task that has failed is not started again by a new configuration, and nothing tells an old task that still runs from a new
  // one: so all of them end before any starts.
  await connector.change('PUT', '/stop')
  await connector.waitUntil('STOPPED', timeoutMs)
  await connector.change('PUT', '/resume')
  return isSame ? 'started anew' : 'changed'
}

function sameConfig(found: Record<string, string>, wanted: Record<string, string>): boolean {
  const names = Object.keys(wanted)
  return names.length === Object.keys(found).length && names.every(key => found[key] === wanted[key])
}

/** Until the database has a connection beside `others` that reads its binary log: Connect calls a connector RUNNING before its snapshot. */
async function waitUntilFollowing(
  connector: ConnectorControl,
  mysql: Mysql,
  others: Set<string>,
): Promise<void> {
  for (;;) {
    await connector.requireNoFailure()
    for (const id of await binlogReaders(mysql)) if (!others.has(id)) return
    await delay(pollIntervalMs)
  }
}

/** Connections of this user that read the binary log; without the right PROCESS a user sees its own and no others. */
async function binlogReaders(mysql: Mysql): Promise<Set<string>> {
  const connections = await mysql.rows<{ Id: unknown; Command: string }>('SHOW PROCESSLIST')
  return new Set(
    connections.filter(({ Command }) => Command.startsWith('Binlog Dump')).map(({ Id }) => String(Id)),
  )
}

async function requireRights(mysql: Mysql, { name, config }: Registration): Promise<void> {
  const tables = (config['table.include.list'] ?? '').split(',').map(table => table.trim())
  try {
    await requireGrants(mysql, 'debezium', [
      ...tables.map(table => `SELECT 1 FROM ${table} LIMIT 0`),
      'SHOW BINARY LOGS',
    ])
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new UserError(`Connector ${name}: ${error.message}`, { cause: error })
  }
}
