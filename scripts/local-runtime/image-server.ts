/** A service whose image is somebody else's server, without containers: the same server by local-stack, as a plain process. */
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, type ControlledServer } from '@kafka-pattern/local-stack'
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

/** Starts it, and notes last from what description: of a start that was interrupted there is no note. */
export async function startAsDescribed(
  server: ImageServer,
  stateDir: string,
  service: ComposeService,
  progress: (line: string) => void,
): Promise<void> {
  const path = noteFile(stateDir, service.name)
  await rm(path, { force: true })
  await server.start(stateDir, service, progress)
  await writeFile(path, fingerprint(service))
}

/** Whether its last start came to its end, and began from this very description. */
export async function wasStartedAsDescribed(stateDir: string, service: ComposeService): Promise<boolean> {
  try {
    return (await readFile(noteFile(stateDir, service.name), 'utf8')) === fingerprint(service)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

function noteFile(stateDir: string, service: string): string {
  return join(dataDirOf(stateDir, service), 'started-as')
}

/** A hash, because passwords are in it. */
function fingerprint({ image, environment, ports }: ComposeService): string {
  return createHash('sha256').update(JSON.stringify({ image, environment, ports })).digest('hex')
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
