/**
 * Apache Kafka as plain processes: one or three brokers that are also the KRaft controllers, on 127.0.0.1.
 *
 * They outlive the caller (each runs in a session of its own) and are found again by the state file in their data folder.
 * What is in the data folder survives stop, kill and start; it is made for one machine, not for production.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { LocalStackError } from './errors.ts'
import { developmentDefaults } from './kafka-defaults.ts'
import { prepareKafkaJvm, type JvmTuning, type KafkaJvm } from './kafka-jvm.ts'
import { describeCluster } from './kafka-readiness.ts'
import { formatStorage, newKafkaUuid } from './kafka-storage.ts'
import type { Progress } from './maven.ts'
import { findFreePorts, isPortFree, requireFreePort } from './ports.ts'
import { isAlive } from './process-identity.ts'
import { controlServer, type ControlledServer } from './server-control.ts'
import { startDetached, waitUntilReady, type ServerCommand } from './server-process.ts'
import { readKafkaState, writeState, type KafkaNodeState, type KafkaState } from './state-file.ts'

const readyTimeoutMs = 120_000
// On its way out a rehearsing broker writes its archive, which takes seconds on a busy machine.
const rehearsalStopTimeoutMs = 60_000
const mebibyte = 1024 * 1024

export type KafkaOptions = {
  /** 1 by default; three form a cluster with replication factor 3 and min.insync.replicas 2 */
  brokers?: 1 | 3
  /** starts one broker of a cluster whose others are started by somebody else, at the same time: `brokers` is 1 */
  memberOf?: KafkaQuorum & { nodeId: number }
  /** kept over stop and start; by default a temporary folder that `stop()` removes */
  dataDir?: string
  /** one port for each broker; by default those used last time in this folder if free, else free ones */
  ports?: number[]
  /** broker properties, added to or in the place of the defaults */
  config?: Record<string, string | number | boolean>
  /** the most memory for a broker's heap, 512 MiB by default */
  heapBytes?: number
  /** 'start' by default; 'throughput' for measurements */
  tuning?: JvmTuning
  /** told what takes long (fetching the jars); silent by default */
  progress?: Progress
}

/** What the brokers of a cluster must know of each other when each has a data folder of its own. Kept as long as their data. */
export type KafkaQuorum = {
  clusterId: string
  /** that of node 1, of node 2, … */
  controllerPorts: number[]
}

export type KafkaNode = ControlledServer & {
  readonly id: number
  /** host:port */
  readonly address: string
  /** where its output goes */
  readonly logFile: string
}

export type StartedKafka = {
  readonly dataDir: string
  /** host:port of every broker */
  readonly brokers: string[]
  readonly nodes: KafkaNode[]
  /**
   * Ends every broker (SIGKILL for one that takes longer than 15 s) and frees the ports.
   * The data stays, unless the folder was a temporary one of `startKafka`.
   */
  stop(): Promise<void>
}

/** For a cluster of which no broker runs: other ports every time, the cluster's id only for one that is new. */
export async function formQuorum(size: number, clusterId = newKafkaUuid()): Promise<KafkaQuorum> {
  return { clusterId, controllerPorts: await findFreePorts(size) }
}

/**
 * Starts one or three brokers; resolves when each of them knows all of them and there is a controller.
 * @throws {PortInUseError} when a port of `ports` is taken
 * @throws {LocalStackError} when Java or Maven is missing, when a broker dies while starting (with the end of its log),
 *   when brokers already run on `dataDir`, or when it holds a cluster of another size
 */
export async function startKafka(options: KafkaOptions = {}): Promise<StartedKafka> {
  // The plainest mistakes first, before anything is fetched for them.
  const count = options.brokers ?? 1
  if (options.ports !== undefined && options.ports.length !== count) {
    throw new LocalStackError(
      `${count} broker(s) need ${count} port(s), but ${options.ports.length} were given.`,
    )
  }
  for (const port of options.ports ?? []) await requireFreePort(port)
  const jvm = await prepareKafkaJvm({
    tuning: options.tuning ?? 'start',
    heapBytes: options.heapBytes ?? 512 * mebibyte,
    progress: options.progress ?? (() => {}),
    async rehearse(rehearsalJvm, dataDir) {
      const kafka = await launchKafka({ brokers: 1, dataDir }, rehearsalJvm, { outlivesTerminal: false })
      const inOrder = await kafka.nodes[0]?.stop(rehearsalStopTimeoutMs)
      await kafka.stop()
      if (inOrder !== true) throw new LocalStackError('The rehearsing broker did not end in time.')
    },
  })
  return launchKafka(options, jvm)
}

async function launchKafka(
  options: KafkaOptions,
  jvm: KafkaJvm,
  launch: Pick<ServerCommand, 'outlivesTerminal'> = {},
): Promise<StartedKafka> {
  const count = options.brokers ?? 1
  const dataDir = resolve(options.dataDir ?? (await mkdtemp(join(tmpdir(), 'kafka-pattern-'))))
  await mkdir(dataDir, { recursive: true })

  const previous = await readKafkaState(dataDir)
  if (previous !== null) await requireStartable(dataDir, previous, count)
  const ports = options.ports ?? (await previousOrFreePorts(previous, count))
  const quorum = options.memberOf ?? (await formQuorum(count, previous?.clusterId))
  const firstId = options.memberOf?.nodeId ?? 1
  const state: KafkaState = {
    kind: 'kafka',
    clusterId: quorum.clusterId,
    temporary: options.dataDir === undefined,
    jvm,
    nodes: ports.map((port, i) => ({
      id: firstId + i,
      port,
      controllerPort: quorum.controllerPorts[firstId + i - 1]!,
      process: null,
    })),
  }
  writeState(dataDir, state)
  const kafka = attach(dataDir, state)
  try {
    const prepared = state.nodes.map(node =>
      prepareStorage(dataDir, state, node, quorum, options.config ?? {}),
    )
    await Promise.all(prepared)
    const awaited = quorum.controllerPorts.length
    await Promise.all(state.nodes.map(node => startNode(dataDir, state, node, awaited, launch)))
  } catch (error) {
    await Promise.all(kafka.nodes.map(node => node.kill()))
    await kafka.stop()
    throw error
  }
  return kafka
}

/**
 * The brokers on this data folder, started by whichever process; null when all of them were stopped or killed from here. One that was not may have ended
 * by itself: `isRunning` tells.
 */
export async function findKafka(dataDir: string): Promise<StartedKafka | null> {
  const state = await readKafkaState(resolve(dataDir))
  if (state === null || state.nodes.every(node => node.process === null)) return null
  return attach(resolve(dataDir), state)
}

function attach(dataDir: string, state: KafkaState): StartedKafka {
  const nodes = state.nodes.map(node => controlNode(dataDir, state, node))
  return {
    dataDir,
    brokers: nodes.map(node => node.address),
    nodes,
    async stop() {
      await Promise.all(nodes.map(node => node.stop()))
      if (state.temporary) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function controlNode(dataDir: string, state: KafkaState, node: KafkaNodeState): KafkaNode {
  const server = controlServer({
    title: `Kafka broker ${node.id}`,
    port: node.port,
    state: node,
    save: () => writeState(dataDir, state),
    launch: () => startNode(dataDir, state, node, 1),
    isReady: () => isReady(node, 1),
  })
  return Object.assign(server, {
    id: node.id,
    address: `127.0.0.1:${node.port}`,
    logFile: logFile(dataDir, node.id),
  })
}

async function startNode(
  dataDir: string,
  state: KafkaState,
  node: KafkaNodeState,
  awaitedBrokers: number,
  launch: Pick<ServerCommand, 'outlivesTerminal'> = {},
): Promise<void> {
  const server: ServerCommand = {
    ...launch,
    title: `Kafka broker ${node.id}`,
    command: state.jvm.command,
    parameters: [...state.jvm.options, 'kafka.Kafka', propertiesFile(dataDir, node.id)],
    cwd: nodeDir(dataDir, node.id),
    logFile: logFile(dataDir, node.id),
  }
  node.process = await startDetached(server)
  writeState(dataDir, state)
  await waitUntilReady(server, node.process, () => isReady(node, awaitedBrokers), readyTimeoutMs)
}

/** Whether it knows itself, a controller, and as many brokers as are awaited, itself included. */
async function isReady({ id, port }: KafkaNodeState, awaitedBrokers: number): Promise<boolean> {
  const view = await describeCluster({ host: '127.0.0.1', port })
  return (
    view !== null &&
    view.controllerId >= 0 &&
    view.brokerIds.includes(id) &&
    view.brokerIds.length >= awaitedBrokers
  )
}

/** Writes the node's properties and, the first time, formats its storage. */
async function prepareStorage(
  dataDir: string,
  state: KafkaState,
  node: KafkaNodeState,
  quorum: KafkaQuorum,
  config: NonNullable<KafkaOptions['config']>,
): Promise<void> {
  await mkdir(nodeDir(dataDir, node.id), { recursive: true })
  const properties = { ...defaultProperties(dataDir, node, quorum), ...config }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(propertiesFile(dataDir, node.id), lines.join(''))
  await formatStorage(state.jvm, logDir(dataDir, node.id), { clusterId: state.clusterId, id: node.id })
}

function defaultProperties(
  dataDir: string,
  node: KafkaNodeState,
  { controllerPorts }: KafkaQuorum,
): Record<string, string | number | boolean> {
  return {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': controllerPorts.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'log.dirs': logDir(dataDir, node.id),
    ...developmentDefaults(controllerPorts.length),
  }
}

async function requireStartable(dataDir: string, state: KafkaState, count: number): Promise<void> {
  for (const node of state.nodes) {
    if (node.process !== null && (await isAlive(node.process))) {
      throw new LocalStackError(
        `Kafka broker ${node.id} (pid ${node.process.pid}) already runs on ${dataDir}: stop it first.`,
      )
    }
  }
  if (state.nodes.length !== count) {
    throw new LocalStackError(
      `${dataDir} holds a cluster of ${state.nodes.length} broker(s), not ${count}: choose another folder or remove it.`,
    )
  }
}

async function previousOrFreePorts(previous: KafkaState | null, count: number): Promise<number[]> {
  const ports = previous?.nodes.map(node => node.port) ?? []
  const free = await Promise.all(ports.map(isPortFree))
  return ports.length === count && free.every(Boolean) ? ports : findFreePorts(count)
}

const nodeDir = (dataDir: string, id: number) => join(dataDir, `node-${id}`)
const logDir = (dataDir: string, id: number) => join(nodeDir(dataDir, id), 'data')
const logFile = (dataDir: string, id: number) => join(nodeDir(dataDir, id), 'server.log')
const propertiesFile = (dataDir: string, id: number) => join(nodeDir(dataDir, id), 'server.properties')
