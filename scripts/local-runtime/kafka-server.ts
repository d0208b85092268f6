/** The service whose image is apache/kafka, without containers: the same broker by local-stack, with the same properties. */
import { join } from 'node:path'
import { findKafka, startKafka } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'

export function isKafka(service: ComposeService): boolean {
  return service.image?.startsWith('apache/kafka:') === true
}

export function kafkaDataDir(stateDir: string, service: string): string {
  return join(stateDir, service)
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

/** The heap limit of KAFKA_HEAP_OPTS in bytes, undefined without one. */
export function heapBytes(options: string | undefined): number | undefined {
  const match = /-Xmx(\d+)([mg])\b/i.exec(options ?? '')
  if (match === null) return undefined
  return Number(match[1]) * (match[2]!.toLowerCase() === 'g' ? 1024 ** 3 : 1024 ** 2)
}

export async function startKafkaServer(
  stateDir: string,
  service: ComposeService,
  progress: (line: string) => void,
): Promise<void> {
  const port = service.ports[0]
  if (port === undefined) throw new UserError(`docker-compose.yml: ${service.name} publishes no port.`)
  const heap = heapBytes(service.environment.KAFKA_HEAP_OPTS)
  await startKafka({
    brokers: 1,
    dataDir: kafkaDataDir(stateDir, service.name),
    ports: [port.hostPort],
    config: brokerProperties(service.environment),
    ...(heap === undefined ? {} : { heapBytes: heap }),
    progress,
  })
}

export async function isKafkaRunning(stateDir: string, service: string): Promise<boolean> {
  return (await findKafka(kafkaDataDir(stateDir, service))) !== null
}

/** Whether the broker that runs listens where docker-compose.yml now says. */
export async function isKafkaAtItsPort(stateDir: string, service: ComposeService): Promise<boolean> {
  const kafka = await findKafka(kafkaDataDir(stateDir, service.name))
  return kafka?.nodes[0]?.port === service.ports[0]?.hostPort
}

export async function stopKafkaServer(stateDir: string, service: string): Promise<boolean> {
  const kafka = await findKafka(kafkaDataDir(stateDir, service))
  await kafka?.stop()
  return kafka !== null
}
