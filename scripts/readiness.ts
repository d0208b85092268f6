import { z } from 'zod'
import type { ComposeService } from './compose-file/compose-file.ts'

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
