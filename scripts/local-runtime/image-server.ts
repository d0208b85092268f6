/** A service whose image is somebody else's server, without containers: the same server by local-stack, as a plain process. */
import { join } from 'node:path'
import type { ControlledServer } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'

export type ImageServer = {
  /** the image without its tag */
  image: string
  /** Told of all that are started together, before the first of them is. */
  prepare?(stateDir: string, services: ComposeService[]): Promise<void>
  /** Resolves when it is ready. What takes long is told to `progress`. */
  start(stateDir: string, service: ComposeService, progress: (line: string) => void): Promise<void>
  /** The one that was started and neither stopped nor killed from here, null when there is none. It may have ended by itself. */
  find(stateDir: string, service: string): Promise<ControlledServer | null>
  /** where its output goes when it does not run, too */
  logFile(stateDir: string, service: ComposeService): string
}

/** Where the server keeps all that it has, by the name of its service. */
export function dataDirOf(stateDir: string, service: string): string {
  return join(stateDir, service)
}

/** The port on which docker-compose.yml publishes it. */
export function portOf(service: ComposeService): number {
  const port = service.ports[0]
  if (port === undefined) throw new UserError(`docker-compose.yml: ${service.name} publishes no port.`)
  return port.hostPort
}
