import type { ComposeService } from '../compose-file/compose-file.ts'
import { whyNotReady } from '../readiness.ts'
import type { ServiceStatus } from '../runtime/runtime.ts'
import { fault, type Finding } from './finding.ts'

/** What was started and does not work. */
export async function examineServices(
  services: ComposeService[],
  statuses: ServiceStatus[],
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { service: name, state } of statuses) {
    if (state === 'ready') continue
    const log = `\`make logs SERVICE=${name}\``
    if (state === 'ended') {
      findings.push(
        fault(
          `${name} has ended by itself`,
          `${log} says why, unless it was killed; \`make up\` and the like start it again.`,
        ),
      )
      continue
    }
    const service = services.find(each => each.name === name)
    const why = service === undefined ? null : await whyNotReady(service)
    if (why?.kind === 'silent') {
      findings.push(
        fault(
          `${name} runs, but gives no answer`,
          `${log} may say why. If it stays so, \`make down\` ends it, and the next start finds its data.`,
        ),
      )
      continue
    }
    const what = why === null ? '' : `: it waits for ${why.for.join(', ')}`
    findings.push(fault(`${name} is not ready${what}`, `It goes on by itself; ${log} says more.`))
  }
  return findings
}
