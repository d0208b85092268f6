/** What `make scale SERVICE=… N=…` asks for, or the one sentence that says why it cannot be. Pure. */
import type { ComposeFile, ComposeService } from '../compose-file/compose-file.ts'
import { UserError } from '../user-error.ts'
import { sharingOf } from './sharing.ts'

/** Each is a process of its own on this one machine. */
const mostInstances = 32

export type ScaleRequest = { service: ComposeService; wanted: number }

/** @throws {UserError} */
export function readRequest(
  { SERVICE, N }: { SERVICE?: string | undefined; N?: string | undefined },
  { services }: ComposeFile,
): ScaleRequest {
  const names = services.filter(each => each.instanceOf === null && sharingOf(each)).map(({ name }) => name)
  const usage = (service: string) => `Say make scale SERVICE=${service} N=<1 to ${mostInstances}>.`
  const usageOfAll = usage(`<one of ${names.join(', ')}>`)
  if (!SERVICE) throw new UserError(`Which service? ${usageOfAll}`)
  const service = services.find(({ name }) => name === SERVICE)
  if (service === undefined) throw new UserError(`There is no service "${SERVICE}". ${usageOfAll}`)
  if (service.instanceOf !== null) {
    throw new UserError(`${SERVICE} is an instance of ${service.instanceOf}. ${usage(service.instanceOf)}`)
  }
  if (!names.includes(SERVICE)) {
    const why =
      service.environment.PORT === undefined
        ? 'it is not a service of this repository'
        : 'it answers at one port of this machine, and several would need a load balancer before them'
    throw new UserError(`${SERVICE} cannot be scaled here, because ${why}: see docs/scaling.md.`)
  }
  if (!N) throw new UserError(`How many? ${usage(SERVICE)}`)
  const wanted = Number(N)
  if (!/^\d+$/.test(N) || wanted < 1 || wanted > mostInstances) {
    throw new UserError(`N must be a whole number from 1 to ${mostInstances}, but is "${N}".`)
  }
  return { service, wanted }
}
