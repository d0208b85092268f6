import { z } from 'zod'
import type { ComposeService } from './compose-file/compose-file.ts'

const Readiness = z.object({ waitingFor: z.array(z.string()).default([]) })
const answerTimeoutMs = 2_000

/**
 * Why a service is not ready, such as "it waits for kafka": what it says itself at /readyz, or that it gives no answer. Null when nothing is
 * known: it may have ended just now.
 */
export async function whyNotReady({ environment }: ComposeService): Promise<string | null> {
  const { PROBE_PORT } = environment
  if (PROBE_PORT === undefined) return null
  try {
    const answer = await fetch(`http://127.0.0.1:${PROBE_PORT}/readyz`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    const { waitingFor } = Readiness.parse(await answer.json())
    return waitingFor.length === 0 ? null : `it waits for ${waitingFor.join(', ')}`
  } catch (error) {
    const isSilent = error instanceof Error && error.name === 'TimeoutError'
    return isSilent ? 'it gives no answer at /readyz: frozen, or too busy' : null
  }
}
