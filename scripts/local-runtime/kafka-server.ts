/** apache/kafka: the same broker, with the same properties, alone or as one of a cluster. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, findKafka, formQuorum, startKafka, type KafkaQuorum } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'
import { dataDirOf, portOf, type ImageServer } from './image-server.ts'
import { heapBytes } from './jvm-options.ts'

export const kafkaServer: ImageServer = {
  image: 'apache/kafka',

  async prepare(stateDir, services) {
    const [first] = services
    if (first === undefined) return
    const members = membersOf(first)
    if (members.length === 1) return
    const running = await Promise.all(
      members.map(async name => (await this.find(stateDir, name))?.isRunning()),
    )
    // Whoever joins those that run finds them where they are.
    if (running.some(Boolean)) return
    const known = await readQuorum(stateDir, members)
    await writeQuorum(stateDir, members, await formQuorum(members.length, known?.clusterId))
  },

  async start(stateDir, service, progress) {
    const heap = heapBytes(service.environment.KAFKA_HEAP_OPTS)
    const quorum = await readQuorum(stateDir, membersOf(service))
    await startKafka({
      dataDir: dataDirOf(stateDir, service.name),
      ports: [portOf(service)],
      config: brokerProperties(service.environment),
      ...(quorum === null ? {} : { memberOf: { ...quorum, nodeId: nodeIdOf(service) } }),
      ...(heap === undefined ? {} : { heapBytes: heap }),
      progress,
    })
  },

  async find(stateDir, service) {
    return (await findKafka(dataDirOf(stateDir, service)))?.nodes[0] ?? null
  },

  logFile: (stateDir, service) =>
    join(dataDirOf(stateDir, service.name), `node-${nodeIdOf(service)}`, 'server.log'),
}

export function isKafka(service: ComposeService): boolean {
  return service.image?.startsWith(`${kafkaServer.image}:`) === true
}

/** Where a container's listeners, files and place in the cluster are said; a process on this machine has its own. */
const ofTheContainer = new Set([
  'advertised.listeners',
  'controller.listener.names',
  'controller.quorum.voters',
  'heap.opts',
  'inter.broker.listener.name',
  'listener.security.protocol.map',
  'listeners',
  'log.dirs',
  'node.id',
  'process.roles',
])

/** The broker properties that the image would make of KAFKA_… variables: `___` is -, `__` is _, `_` is a dot. */
export function brokerProperties(environment: Record<string, string>): Record<string, string> {
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('KAFKA_')) continue
    const property = name
      .slice('KAFKA_'.length)
      .toLowerCase()
      .replaceAll(/_{1,3}/g, underscores => ({ 1: '.', 2: '_', 3: '-' })[underscores.length]!)
    if (!ofTheContainer.has(property)) properties[property] = value
  }
  return properties
}

/** The services of a broker's cluster by their node ids, from what the image reads: "1@kafka-1:9093,2@kafka-2:9093,…". */
export function membersOf({ environment }: Pick<ComposeService, 'environment'>): string[] {
  return (environment.KAFKA_CONTROLLER_QUORUM_VOTERS ?? '').split(',').map((voter, i) => {
    const name = new RegExp(`^${i + 1}@([^:]+):\\d+$`).exec(voter)?.[1]
    if (name !== undefined) return name
    throw new UserError(
      `docker-compose.yml: KAFKA_CONTROLLER_QUORUM_VOTERS must be 1@<service>:<port>,2@<service>:<port>,… and not "${voter}".`,
    )
  })
}

function nodeIdOf({ environment }: ComposeService): number {
  return Number(environment.KAFKA_NODE_ID ?? 1)
}

/** What the members must know of each other lies beside the data of the first of them, so that it goes with it. */
function quorumFile(stateDir: string, members: string[]): string {
  return join(dataDirOf(stateDir, members[0]!), 'quorum.json')
}

/** Null for a broker that is alone. */
async function readQuorum(stateDir: string, members: string[]): Promise<KafkaQuorum | null> {
  if (members.length === 1) return null
  try {
    const quorum: KafkaQuorum = JSON.parse(await readFile(quorumFile(stateDir, members), 'utf8'))
    return quorum
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

async function writeQuorum(stateDir: string, members: string[], quorum: KafkaQuorum): Promise<void> {
  await mkdir(dataDirOf(stateDir, members[0]!), { recursive: true })
  await writeFile(quorumFile(stateDir, members), `${JSON.stringify(quorum)}\n`)
}
