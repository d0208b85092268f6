/**
 * Kafka Connect as a plain process on 127.0.0.1: one distributed worker with Debezium's connectors, found again by the state
 * file in its data folder. Connect keeps what it knows (connectors, their positions) in topics of its brokers, so the same
 * brokers and the same group id are the same Connect, whatever folder it runs in; the folder holds only properties and log.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { LocalStackError } from './errors.ts'
import type { JvmTuning } from './kafka-jvm.ts'
import { fetchContents, fetchJars, type Progress } from './maven.ts'
import { findFreePort, isPortFree, requireFreePort } from './ports.ts'
import { isAlive } from './process-identity.ts'
import { controlServer, type ControlledServer } from './server-control.ts'
import { startDetached, waitUntilReady, type ServerCommand } from './server-process.ts'
import { readConnectState, writeState, type ConnectState } from './state-file.ts'
import { requireJava } from './tools.ts'

const kafkaVersion = '4.3.1'
const debeziumVersion = '3.5.0.Final'
const packageDir = join(import.meta.dirname, '..')
const readyTimeoutMs = 120_000
const mebibyte = 1024 * 1024

/** Which of Debezium's connectors: the sources of binary logs, and the sink into a database by JDBC. */
export type DebeziumConnector = 'mysql' | 'mariadb' | 'jdbc'

export type ConnectOptions = {
  /** host:port of the brokers that it works for, which also keep its own topics */
  brokers: string[]
  /** by default a temporary folder that `stop()` removes */
  dataDir?: string
  /** of its REST interface; by default the one used last time in this folder if free, else a free one */
  port?: number
  /** names the Connect cluster and its three topics, `<groupId>-configs`, `-offsets` and `-statuses`; "connect" by default */
  groupId?: string
  /** mysql and mariadb by default */
  connectors?: DebeziumConnector[]
  /** worker properties, added to or in the place of the defaults, e.g. `offset.flush.interval.ms` */
  config?: Record<string, string | number | boolean>
  /** the most memory for its heap, 512 MiB by default */
  heapBytes?: number
  /** 'start' by default; 'throughput' for measurements */
  tuning?: JvmTuning
  /** told what takes long (fetching the jars); silent by default */
  progress?: Progress
}

export type StartedConnect = {
  readonly dataDir: string
  readonly port: number
  /** of its REST interface, e.g. http://127.0.0.1:8083 */
  readonly url: string
  /** where its output goes */
  readonly logFile: string
  /** the process, for tests that stop, kill or freeze it */
  readonly server: ControlledServer
  /** Ends the worker and frees the port. Connectors and positions stay with the brokers and go on with the next start. */
  stop(): Promise<void>
}

/**
 * Starts a worker; resolves when it takes registrations.
 * @throws {PortInUseError} when `port` is taken
 * @throws {LocalStackError} when Java or Maven is missing, the worker dies while starting (with the end of its log), or one
 *   already runs on `dataDir`
 */
export async function startConnect(options: ConnectOptions): Promise<StartedConnect> {
  if (options.port !== undefined) await requireFreePort(options.port)
  const java = await requireJava()
  const progress = options.progress ?? (() => {})
  const jarsDir = await fetchWorker(progress)
  const pluginDirs: string[] = []
  for (const connector of options.connectors ?? ['mysql', 'mariadb']) {
    pluginDirs.push(await fetchDebezium(connector, progress))
  }

  const dataDir = resolve(options.dataDir ?? (await mkdtemp(join(tmpdir(), 'kafka-pattern-'))))
  await mkdir(dataDir, { recursive: true })
  const previous = await readConnectState(dataDir)
  if (previous !== null && previous.process !== null && (await isAlive(previous.process))) {
    throw new LocalStackError(
      `Kafka Connect (pid ${previous.process.pid}) already runs on ${dataDir}: stop it first.`,
    )
  }
  const state: ConnectState = {
    kind: 'connect',
    temporary: options.dataDir === undefined,
    port: options.port ?? (await previousOrFreePort(previous)),
    jvm: {
      command: java.command,
      options: [
        `-Xmx${Math.ceil((options.heapBytes ?? 512 * mebibyte) / mebibyte)}m`,
        ...(options.tuning === 'throughput'
          ? ['-XX:+UseG1GC']
          : ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']),
        '-Djava.awt.headless=true',
        `-Dlog4j2.configurationFile=${join(packageDir, 'connect', 'log4j2.properties')}`,
        '-cp',
        join(jarsDir, '*'),
      ],
    },
    process: null,
  }
  const properties = { ...defaultProperties(options, state.port, pluginDirs), ...options.config }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(propertiesFile(dataDir), lines.join(''))
  writeState(dataDir, state)
  const connect = attach(dataDir, state)
  try {
    await connect.server.start()
  } catch (error) {
    await connect.server.kill()
    throw error
  }
  return connect
}

/**
 * The worker on this data folder, started by whichever process; null when it was stopped or killed from here. When it was not, it may have ended by
 * itself: `isRunning` tells.
 */
export async function findConnect(dataDir: string): Promise<StartedConnect | null> {
  const state = await readConnectState(resolve(dataDir))
  return state === null || state.process === null ? null : attach(resolve(dataDir), state)
}

function attach(dataDir: string, state: ConnectState): StartedConnect {
  const server = controlServer({
    title: 'Kafka Connect',
    port: state.port,
    state,
    save: () => writeState(dataDir, state),
    launch: () => launch(dataDir, state),
    isReady: () => isHealthy(state.port),
  })
  return {
    dataDir,
    port: state.port,
    url: urlOf(state.port),
    logFile: logFile(dataDir),
    server,
    async stop() {
      await server.stop()
      if (state.temporary) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function launch(dataDir: string, state: ConnectState): Promise<void> {
  const command: ServerCommand = {
    title: 'Kafka Connect',
    command: state.jvm.command,
    parameters: [
      ...state.jvm.options,
      'org.apache.kafka.connect.cli.ConnectDistributed',
      propertiesFile(dataDir),
    ],
    cwd: dataDir,
    logFile: logFile(dataDir),
  }
  state.process = await startDetached(command)
  writeState(dataDir, state)
  await waitUntilReady(command, state.process, () => isHealthy(state.port), readyTimeoutMs)
}

function defaultProperties(
  options: ConnectOptions,
  port: number,
  pluginDirs: string[],
): Record<string, string | number | boolean> {
  const groupId = options.groupId ?? 'connect'
  return {
    'bootstrap.servers': options.brokers.join(','),
    'group.id': groupId,
    listeners: urlOf(port),
    'rest.advertised.host.name': '127.0.0.1',
    'plugin.path': pluginDirs.join(','),
    // Plugins are found by their service files alone; looking into every class of every jar would take seconds.
    'plugin.discovery': 'service_load',
    // What a connector does not say itself: keys as text, values as JSON without an envelope that repeats the schema.
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': false,
    'config.storage.topic': `${groupId}-configs`,
    'offset.storage.topic': `${groupId}-offsets`,
    'status.storage.topic': `${groupId}-statuses`,
    // As many replicas as the brokers give any topic: one where there is one broker.
    'config.storage.replication.factor': -1,
    'offset.storage.replication.factor': -1,
    'status.storage.replication.factor': -1,
    // 25 and 5 by default, for many workers and connectors.
    'offset.storage.partitions': 1,
    'status.storage.partitions': 1,
    // The tasks of a worker that was killed wait 5 minutes for it to come back; here nobody else could take them.
    'scheduled.rebalance.max.delay.ms': 0,
  }
}

function fetchWorker(progress: Progress): Promise<string> {
  return fetchJars({
    name: 'connect',
    version: kafkaVersion,
    pom: join(packageDir, 'connect', 'pom.xml'),
    title: `Kafka Connect ${kafkaVersion} (36 MB)`,
    progress,
  })
}

/** A plugin folder: it holds the connector's own folder and nothing else that Connect would take for a plugin. */
function fetchDebezium(connector: DebeziumConnector, progress: Progress): Promise<string> {
  return fetchContents({
    name: `debezium-${connector}`,
    version: debeziumVersion,
    pom: join(packageDir, 'connect', 'debezium.pom.xml'),
    properties: { connector },
    title: `Debezium's ${connector} connector ${debeziumVersion}`,
    progress,
  })
}

/** Whether it has joined its group and read its topics: the REST interface alone answers seconds before that. */
async function isHealthy(port: number): Promise<boolean> {
  try {
    const response = await fetch(`${urlOf(port)}/health`, { signal: AbortSignal.timeout(2_000) })
    await response.arrayBuffer()
    return response.ok
  } catch (error) {
    // Nobody listens yet, or the answer takes too long.
    if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) return false
    throw error
  }
}

async function previousOrFreePort(previous: ConnectState | null): Promise<number> {
  return previous !== null && (await isPortFree(previous.port)) ? previous.port : findFreePort()
}

const urlOf = (port: number) => `http://127.0.0.1:${port}`
const propertiesFile = (dataDir: string) => join(dataDir, 'worker.properties')
const logFile = (dataDir: string) => join(dataDir, 'server.log')
