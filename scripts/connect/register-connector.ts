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
import { firstSentence, reasonOfRefusal, reasonOfTrace } from './connect-errors.ts'
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

export type RegisteredConnector = {
  name: string
  /** Ends it. What Connect remembers of its position stays: the same name would go on from there. */
  remove(): Promise<void>
}

const pollIntervalMs = 100

/**
 * Creates the connector, or changes it where its configuration is another one, and restarts one that has failed. Resolves when it
 * runs and, where it captures a database, has taken its first snapshot.
 * @throws {UserError} with one sentence that says why not, in the words of the connector
 */
export async function registerConnector(options: RegisterOptions): Promise<RegisteredConnector> {
  const { connectUrl, progress = () => {}, timeoutMs = 60_000 } = options
  const registration = fillRegistration(
    basename(options.registrationFile, '.json'),
    await readFile(options.registrationFile, 'utf8'),
    options.variables,
    options.overrides,
  )
  const { name, config } = registration
  if (options.mysql !== undefined) await requireRights(options.mysql, registration)

  const connect = restOf(connectUrl)
  const deadline = performance.now() + timeoutMs
  const change = await applyConfig(connect, registration, deadline)
  progress(`connector ${name}: ${change}`)
  await waitFor('RUNNING', connect, name, deadline)

  // A connector that is resumed has a position already, and is silent until something changes.
  if (Number(config['heartbeat.interval.ms'] ?? 0) > 0 && !(await hasPosition(connect, name))) {
    progress(`connector ${name}: takes its snapshot`)
    await waitUntilWritten(connect, name, `__debezium-heartbeat.${config['topic.prefix']}`)
  }
  progress(`connector ${name}: running`)
  return {
    name,
    async remove() {
      await connect('DELETE', `/connectors/${name}`)
    },
  }
}

type Change = 'registered' | 'changed' | 'started anew' | 'is as registered before'

async function applyConfig(connect: Rest, { name, config }: Registration, deadline: number): Promise<Change> {
  const before = await connect('GET', `/connectors/${name}/config`)
  const isNew = before.status === 404
  const isSame = before.ok && sameConfig(configSchema.parse(before.body), name, config)
  const hasFailed = !isNew && (await statesOf(connect, name)).some(({ state }) => state === 'FAILED')
  if (isSame && !hasFailed) return 'is as registered before'

  for (;;) {
    const answer = await connect('PUT', `/connectors/${name}/config`, config)
    if (answer.ok) break
    // 409: the worker is busy with another connector's registration.
    if (answer.status !== 409 || performance.now() > deadline) {
      throw new UserError(`Kafka Connect refuses connector ${name}: ${reasonOfRefusal(answer.body)}`)
    }
    await delay(pollIntervalMs)
  }
  if (isNew) return 'registered'
  // A task that has failed is not started again by a new configuration, and nothing tells an old task that still runs from a new
  // one: so all of them end before any starts.
  await connect('PUT', `/connectors/${name}/stop`)
  await waitFor('STOPPED', connect, name, deadline)
  await connect('PUT', `/connectors/${name}/resume`)
  return isSame ? 'started anew' : 'changed'
}

function sameConfig(found: Record<string, string>, name: string, config: Record<string, string>): boolean {
  const wanted: Record<string, string> = { ...config, name }
  const names = Object.keys(wanted)
  return names.length === Object.keys(found).length && names.every(key => found[key] === wanted[key])
}

/** A stopped connector has no tasks; one that runs has at least one, which runs, too. */
async function waitFor(
  wanted: 'RUNNING' | 'STOPPED',
  connect: Rest,
  name: string,
  deadline: number,
): Promise<void> {
  for (;;) {
    const states =
      wanted === 'RUNNING' ? await requireNoFailure(connect, name) : await statesOf(connect, name)
    const hasTasks = states.length > 1
    if (states[0]?.state === wanted && hasTasks === (wanted === 'RUNNING')) {
      if (states.every(({ state }) => state === wanted)) return
    }
    if (performance.now() > deadline) {
      const seen = states.map(({ part, state }) => `${part} ${state}`).join(', ')
      throw new UserError(
        `Connector ${name} is not ${wanted} in time (${seen || 'unknown to the worker'}): the log of Kafka Connect says what it waits for.`,
      )
    }
    await delay(pollIntervalMs)
  }
}

async function hasPosition(connect: Rest, name: string): Promise<boolean> {
  const { ok, body } = await connect('GET', `/connectors/${name}/offsets`)
  return ok && offsetsSchema.parse(body).offsets.length > 0
}

/**
 * Until the first heartbeat, which Debezium writes when the snapshot is complete; Connect keeps a list of the topics that each
 * connector has written to (KIP-558).
 */
async function waitUntilWritten(connect: Rest, name: string, topic: string): Promise<void> {
  for (;;) {
    const { body } = await connect('GET', `/connectors/${name}/topics`)
    const topics = z.record(z.string(), z.object({ topics: z.array(z.string()) })).safeParse(body)
    await requireNoFailure(connect, name)
    if (topics.success && topics.data[name]?.topics.includes(topic)) return
    await delay(pollIntervalMs)
  }
}

async function requireNoFailure(connect: Rest, name: string): Promise<PartState[]> {
  const states = await statesOf(connect, name)
  const failed = states.find(({ state }) => state === 'FAILED')
  if (failed === undefined) return states
  throw new UserError(`Connector ${name} failed: ${reasonOfTrace(failed.trace ?? '')}`)
}

type PartState = { part: string; state: string; trace?: string | undefined }

const configSchema = z.record(z.string(), z.string())
const offsetsSchema = z.object({ offsets: z.array(z.unknown()) })
const statusSchema = z.object({
  connector: z.object({ state: z.string(), trace: z.string().optional() }),
  tasks: z.array(z.object({ id: z.number(), state: z.string(), trace: z.string().optional() })),
})

/** Of the connector and of each task; none while the worker has not heard of it. */
async function statesOf(connect: Rest, name: string): Promise<PartState[]> {
  const { ok, body } = await connect('GET', `/connectors/${name}/status`)
  if (!ok) return []
  const { connector, tasks } = statusSchema.parse(body)
  return [
    { part: 'connector', ...connector },
    ...tasks.map(({ id, state, trace }) => ({ part: `task ${id}`, state, trace })),
  ]
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

type Answer = { ok: boolean; status: number; body: unknown }
type Rest = (method: string, path: string, body?: unknown) => Promise<Answer>

function restOf(connectUrl: string): Rest {
  return async (method, path, body) => {
    try {
      const response = await fetch(`${connectUrl}${path}`, {
        method,
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
        // A registration is answered after the connector has tried to reach its database.
        signal: AbortSignal.timeout(60_000),
      })
      const text = await response.text()
      return { ok: response.ok, status: response.status, body: text === '' ? null : JSON.parse(text) }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      const reason = error.cause instanceof Error ? error.cause.message : error.message
      throw new UserError(`Kafka Connect does not answer at ${connectUrl}: ${firstSentence(reason)}`, {
        cause: error,
      })
    }
  }
}
