import type { ComposeService } from '../compose-file/compose-file.ts'
import { describeNotReady, reasonsNotReady } from '../readiness.ts'
import type { ServiceStatus } from '../runtime/runtime.ts'
import { fault, note, type Finding } from './finding.ts'

/** What was started and does not work. Who only waits has nothing to change while a server ended or hangs: that is what it waits for. */
export async function examineServices(
  services: ComposeService[],
  statuses: ServiceStatus[],
): Promise<Finding[]> {
  const findings: Finding[] = []
  const waiting: { text: string; remedy: string }[] = []
  let isServerAway = false
  const reasons = await reasonsNotReady(services, statuses)
  for (const { service: name, state } of statuses) {
    if (state === 'ready') continue
    const log = `\`make logs SERVICE=${name}\``
    const service = services.find(each => each.name === name)
    const why = reasons.get(name)
    if (state === 'ended' || why?.kind === 'silent') isServerAway ||= service?.program === null
    if (state === 'ended') {
      findings.push(
        fault(
          `${name} has ended by itself`,
          `${log} says why, unless it was killed; \`make up\` and the like start it again.`,
        ),
      )
      continue
    }
    if (why?.kind === 'silent') {
      findings.push(
        fault(
          `${name} runs, but gives no answer`,
          `${log} may say why. If it stays so, \`make down\` ends it, and the next start finds its data.`,
        ),
      )
      continue
    }
    const what = why === undefined ? '' : `: it ${describeNotReady(why)}`
    waiting.push({ text: `${name} is not ready${what}`, remedy: `It goes on by itself; ${log} says more.` })
  }
  return [
    ...findings,
    ...waiting.map(({ text, remedy }) => (isServerAway ? note(text) : fault(text, remedy))),
  ]
}
