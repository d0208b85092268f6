import { findPortHolder, isPortFree } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'

/** @throws {UserError} naming each port that several of these are to publish */
export function requireDistinctPorts(services: ComposeService[]): void {
  const ports = services.flatMap(service => service.ports.map(port => ({ ...port, service: service.name })))
  const shared = [...Map.groupBy(ports, ({ hostPort }) => hostPort)].filter(([, wanted]) => wanted.length > 1)
  if (shared.length === 0) return
  const sentences = shared.map(([port, wanted]) => {
    const variables = wanted.flatMap(({ variable }) => variable ?? [])
    return `Port ${port} is to be that of ${wanted.map(({ service }) => service).join(' and ')}. Change ${variables.join(' or ')}.`
  })
  throw new UserError(['Nothing was started or stopped, because of the ports:', ...sentences].join('\n'))
}

/** @throws {UserError} naming each port that is taken, its holder and the variable that moves it */
export async function requireFreePorts(services: ComposeService[]): Promise<void> {
  const ports = services.flatMap(service => service.ports.map(port => ({ ...port, service: service.name })))
  const taken = []
  for (const port of ports) if (!(await isPortFree(port.hostPort))) taken.push(port)
  if (taken.length === 0) return
  const sentences = await Promise.all(
    taken.map(async ({ hostPort, service, variable }) => {
      const holder = await findPortHolder(hostPort)
      const remedy =
        variable === null ? 'Stop it' : `Stop it, or choose another port: ${variable}=<port> in .env`
      return `Port ${hostPort} of ${service} is in use by ${holder ?? 'another process'}. ${remedy}.`
    }),
  )
  throw new UserError(sentences.join('\n'))
}
