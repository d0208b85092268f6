import { z } from 'zod'
import type { ComposeService } from './compose-file/compose-file.ts'
import type { ServiceStatus } from './runtime/runtime.ts'

const Readiness = z.object({ waitingFor: z.array(z.string()) })
const answerTimeoutMs = 2_000

/** `silent`: it runs and gives no answer, so it is frozen, or too busy, or starts. */
export type NotReady = { kind: 'waiting'; for: string[] } | { kind: 'silent' }

/** The rest of a sentence that begins with the name of the service. */
export function describeNotReady(why: NotReady): string {
  return why.kind === 'silent' ? 'gives no answer' : `waits for ${why.for.join(', ')}`
}

/**
 * Why a service that runs is not ready, asked at its /readyz; servers that are not ours have none, and are not ready when they give no
 * answer. Null when nothing is known: it may have ended, or become ready, just now.
 */
export async function whyNotReady({ environment, program }: ComposeService): Promise<NotReady | null> {
  const { PROBE_PORT } = environment
  if (PROBE_PORT === undefined) return program === null ? { kind: 'silent' } : null
  try {
    const answer = await fetch(`http://127.0.0.1:${PROBE_PORT}/readyz`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    const { waitingFor } = Readiness.parse(await answer.json())
    return waitingFor.length === 0 ? null : { kind: 'waiting', for: waitingFor }
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? { kind: 'silent' } : null
  }
}

/** By name, of those that run and are not ready, as far as known. All are asked at once: one that hangs takes seconds to be given up. */
export async function reasonsNotReady(
  services: readonly ComposeService[],
  statuses: readonly ServiceStatus[],
): Promise<Map<string, NotReady>> {
  const notReady = services.filter(({ name }) =>
    statuses.some(({ service, state }) => service === name && state === 'not ready'),
  )
  const asked = await Promise.all(
    notReady.map(async service => ({ name: service.name, why: await whyNotReady(service) })),
  )
  return new Map(asked.flatMap(({ name, why }) => (why === null ? [] : [[name, why]])))
}
