/** Waits for a condition instead of a time. */

const pollIntervalMs = 50

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
  const deadline = performance.now() + timeoutMs
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
    await new Promise(resolve => setTimeout(resolve, pollIntervalMs))
  }
}
