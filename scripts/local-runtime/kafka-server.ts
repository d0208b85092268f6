/** apache/kafka: the same broker, with the same properties. */
import { join } from 'node:path'
import { findKafka, startKafka } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { dataDirOf, portOf, type ImageServer } from './image-server.ts'
import { heapBytes } from './jvm-options.ts'

export const kafkaServer: ImageServer = {
  image: 'apache/kafka',

  async start(stateDir, service, progress) {
    const heap = heapBytes(service.environment.KAFKA_HEAP_OPTS)
    await startKafka({
      brokers: 1,
      dataDir: dataDirOf(stateDir, service.name),
      ports: [portOf(service)],
      config: brokerProperties(service.environment),
      ...(heap === undefined ? {} : { heapBytes: heap }),
      progress,
    })
  },

  async find(stateDir, service) {
    const kafka = await findKafka(dataDirOf(stateDir, service))
    const node = kafka?.nodes[0]
    return kafka && node ? { port: node.port, pid: node.pid, stop: () => kafka.stop() } : null
  },

  logFile: (stateDir, service) => join(dataDirOf(stateDir, service), 'node-1', 'server.log'),
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
