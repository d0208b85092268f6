/** quay.io/debezium/connect: the same worker, with the same connectors. */
import { join } from 'node:path'
import { findConnect, startConnect } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'
import { dataDirOf, portOf, type ImageServer } from './image-server.ts'
import { heapBytes } from './jvm-options.ts'

export const connectServer: ImageServer = {
  image: 'quay.io/debezium/connect',

  async start(stateDir, service, progress) {
    const { BOOTSTRAP_SERVERS, GROUP_ID, HEAP_OPTS } = service.environment
    if (!BOOTSTRAP_SERVERS || !GROUP_ID) {
      throw new UserError(`docker-compose.yml: ${service.name} needs BOOTSTRAP_SERVERS and GROUP_ID.`)
    }
    const heap = heapBytes(HEAP_OPTS)
    await startConnect({
      brokers: BOOTSTRAP_SERVERS.split(','),
      groupId: GROUP_ID,
      dataDir: dataDirOf(stateDir, service.name),
      port: portOf(service),
      ...(heap === undefined ? {} : { heapBytes: heap }),
      progress,
    })
  },

  async find(stateDir, service) {
    return (await findConnect(dataDirOf(stateDir, service)))?.server ?? null
  },

  logFile: (stateDir, { name }) => join(dataDirOf(stateDir, name), 'server.log'),
}

export function isConnect(service: ComposeService): boolean {
  return service.image?.startsWith(`${connectServer.image}:`) === true
}
