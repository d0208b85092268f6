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
   * A client of the connector's own database user. With it, what Debezium does not say well is checked first. A table that its user
   * may not read is to it one that does not exist, so it runs and captures nothing; where it may not ask for its position in the
   * binary log, it blames the syntax of its question; and that it may not read the log, it finds only after its snapshot.
   */
  mysql?: Mysql
  /** told each step; silent by default */
  progress?: (line: string) => void
  /** how long the connector may take until it runs, 60 s by default; its snapshot may take as long as it likes */
  timeoutMs?: number
}

const pollIntervalMs = 100
const restingStates = new Set(['FAILED', 'STOPPED', 'PAUSED'])
const configSchema = z.record(z.string(), z.string())
const offsetsSchema = z.object({ offsets: z.array(z.unknown()) })
const topicsSchema = z.record(z.string(), z.object({ topics: z.array(z.string()) }))

/**
 * Creates the connector, or changes it where its configuration is another one, and restarts one that has failed. Resolves when it
 * runs and, where it captures a database, has taken its first snapshot.
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
  const { name, config } = registration
  if (options.mysql !== undefined) await requireRights(options.mysql, registration)

  const connector = controlConnector(options.connectUrl, name)
  progress(`connector ${name}: ${await applyConfig(connector, registration, timeoutMs)}`)
  await connector.waitUntil('RUNNING', timeoutMs)

  // A connector that is resumed has a position already, and is silent until something changes.
  if (Number(config['heartbeat.interval.ms'] ?? 0) > 0 && !(await hasPosition(connector))) {
    progress(`connector ${name}: takes its snapshot`)
    await waitUntilWritten(connector, name, `__debezium-heartbeat.${config['topic.prefix']}`)
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

async function hasPosition(connector: ConnectorControl): Promise<boolean> {
  const offsets = await connector.get('/offsets')
  return offsets !== null && offsetsSchema.parse(offsets).offsets.length > 0
}

/**
 * Until the first heartbeat, which Debezium writes when the snapshot is complete; Connect keeps a list of the topics that each
 * connector has written to (KIP-558).
 */
async function waitUntilWritten(connector: ConnectorControl, name: string, topic: string): Promise<void> {
  for (;;) {
    const written = topicsSchema.safeParse(await connector.get('/topics'))
    await connector.requireNoFailure()
    if (written.success && written.data[name]?.topics.includes(topic)) return
    await delay(pollIntervalMs)
  }
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
  // No statement that both servers know needs this right and nothing else.
  const grants = (await mysql.rows('SHOW GRANTS')).flatMap(row => Object.values(row))
  if (!grants.some(grant => /\b(?:REPLICATION SLAVE|ALL PRIVILEGES)\b.* ON \*\.\*/.test(String(grant)))) {
    throw new UserError(
      `Connector ${name}: its database user may not read the binary log: grant it REPLICATION SLAVE as infra/mysql/50-debezium.sql does.`,
    )
  }
}
