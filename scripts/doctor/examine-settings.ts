/** `.env` and the ports: what a person may have set, and what may be in the way. */
import { findPortHolder, isPortFree } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { readDotEnv } from '../compose-file/variables.ts'
import { findUnreadSettings } from '../known-variables.ts'
import { runsLocally } from '../local-runtime/local-runtime.ts'
import { describeRefused, refusedSettings } from '../refused-settings.ts'
import { brokersOf } from '../runtime/broker-count.ts'
import type { Runtime, ServiceStatus, Stack } from '../runtime/runtime.ts'
import { fault, fine, note, type Finding } from './finding.ts'

/** Which settings `.env` has, and which of them have no effect: a misspelt one is read by nothing. */
export async function examineDotEnv(repositoryDir: string): Promise<Finding[]> {
  const names = Object.keys(await readDotEnv(repositoryDir))
  if (names.length === 0) {
    return [fine('no settings in .env: each has its default (.env.example lists them)')]
  }
  const unread = await findUnreadSettings(repositoryDir)
  if (unread.length > 0) {
    return [
      fault(`.env sets ${unread.join(', ')}, which nothing reads`, 'Compare the names with .env.example.'),
    ]
  }
  return [fine(`.env sets ${names.join(', ')}`)]
}

/** What a service would refuse at its start, whether it comes from `.env` or from the environment. */
export async function examineServiceSettings(services: ComposeService[]): Promise<Finding[]> {
  const refused = await refusedSettings(services)
  return refused.map(setting => fault(describeRefused(setting), 'Change it in the environment or in .env.'))
}

export async function examinePorts(
  stack: Stack,
  runtime: Runtime['kind'],
  statuses: ServiceStatus[],
): Promise<Finding[]> {
  const running = new Set(statuses.filter(({ state }) => state !== 'ended').map(({ service }) => service))
  const findings: Finding[] = []
  // One broker and three have ports in common: those that are not meant would find them taken.
  const otherBrokers = brokersOf({ file: stack.file, brokers: stack.brokers === 1 ? 3 : 1 })
  const services = stack.file.services.filter(
    service => !otherBrokers.includes(service) && (runtime === 'containers' || runsLocally(service)),
  )
  for (const service of services) {
    const numbers = service.ports.map(port => port.hostPort).join(', ')
    if (running.has(service.name)) {
      findings.push(fine(`${numbers} ${service.name}, which runs`))
      continue
    }
    const taken = []
    for (const port of service.ports) if (!(await isPortFree(port.hostPort))) taken.push(port)
    if (taken.length === 0) findings.push(note(`${numbers} ${service.name}, free`))
    for (const { hostPort, variable } of taken) {
      const holder = (await findPortHolder(hostPort)) ?? 'another process'
      const remedy = variable === null ? [] : [`Or choose another port: ${variable}=<port> in .env.`]
      findings.push(
        fault(
          `${hostPort} ${service.name}: in use by ${holder}`,
          'Stop that, if it is not needed.',
          ...remedy,
        ),
      )
    }
  }
  return findings
}
