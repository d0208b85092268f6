/** Waits for a condition instead of a time. */

const shortestPauseMs = 50
const longestPauseMs = 250

export type EventuallyOptions = {
  /** 60,000 by default: a machine that runs a whole test suite is slow */
  timeoutMs?: number
  /** what is awaited, for the message of the failure, e.g. "the batch to be committed" */
  what: string
}

/**
 * Calls `check` until it returns without throwing, and returns what it returned: put the assertion into it.
 * @throws Error naming `what` and the last failure (also its `cause`) when that did not happen in time
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 60_000
  const startedAt = performance.now()
  const deadline = startedAt + timeoutMs
  for (let attempts = 1; ; attempts++) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() >= deadline) {
        const last = error instanceof Error ? error.message : String(error)
        throw new Error(
          `Waited ${timeoutMs} ms (${attempts} checks) in vain for ${options.what}. The last state: ${last}`,
          { cause: error },
        )
      }
    }
    // What takes long is asked for less often: the questions of a whole suite take much of a small machine from what they wait for.
    const pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, (performance.now() - startedAt) / 10))
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}
