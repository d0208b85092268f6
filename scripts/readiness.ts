import { z } from 'zod'
import type { ComposeService } from './compose-file/compose-file.ts'

const Readiness = z.object({ waitingFor: z.array(z.string()).default([]) })

/** What a service that is not ready waits for, as it says itself at /readyz; nothing when it does not answer. */
export async function waitingFor({ environment }: ComposeService): Promise<string[]> {
  const { PROBE_PORT } = environment
  if (PROBE_PORT === undefined) return []
  try {
    const answer = await fetch(`http://127.0.0.1:${PROBE_PORT}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    })
    return Readiness.parse(await answer.json()).waitingFor
  } catch {
    // It may have ended just now. That it is not ready is said all the same.
    return []
  }
}
