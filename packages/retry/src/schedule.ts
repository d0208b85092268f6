/**
 * When to try again: a pure function of the policy, the attempts that failed and the time that passed.
 * Full jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog, Marc Brooker, 2015):
 * delay = random between 0 and min(cap, base * factor ** retries).
 */

/** How often and how long to try. `maxAttempts` counts the first attempt too; Infinity = until aborted. */
export type RetryPolicy =
  | { kind: 'fixed'; delayMs: number; maxAttempts: number; maxElapsedMs?: number }
  | {
      kind: 'exponential'
      /** Delay (with jitter: its upper bound) before the first retry. */
      baseMs: number
      factor: number
      /** No delay is longer than this. */
      capMs: number
      /** `full` spreads callers that failed together; `none` lets them come back together. */
      jitter: 'full' | 'none'
      maxAttempts: number
      /** No attempt begins later than this after the first one began. */
      maxElapsedMs?: number
    }

/**
 * Delay in ms before the next attempt, or null: give up.
 *
 * @param failedAttempts attempts that failed so far, at least 1
 * @param elapsedMs time since the first attempt began
 * @param random source of jitter in [0, 1)
 * @throws RangeError for a policy or count that means nothing (negative, NaN, maxAttempts 0)
 */
export function nextDelayMs(
  policy: RetryPolicy,
  failedAttempts: number,
  elapsedMs: number,
  random: () => number = Math.random,
): number | null {
  checkPolicy(policy)
  if (!(failedAttempts >= 1)) throw new RangeError(`failedAttempts must be at least 1, not ${failedAttempts}`)
  if (failedAttempts >= policy.maxAttempts) return null
  const delayMs = plannedDelayMs(policy, failedAttempts - 1, random)
  const withinTime = elapsedMs + delayMs <= (policy.maxElapsedMs ?? Infinity)
  return withinTime ? delayMs : null
}

function plannedDelayMs(policy: RetryPolicy, retriesBefore: number, random: () => number): number {
  if (policy.kind === 'fixed') return policy.delayMs
  const boundMs = Math.min(policy.capMs, policy.baseMs * policy.factor ** retriesBefore)
  return policy.jitter === 'full' ? Math.round(random() * boundMs) : boundMs
}

/** @throws RangeError naming the field that makes no sense */
export function checkPolicy(policy: RetryPolicy): void {
  checkRange('maxAttempts', policy.maxAttempts, 1, Infinity)
  checkRange('maxElapsedMs', policy.maxElapsedMs ?? Infinity, 0, Infinity)
  if (policy.kind === 'fixed') {
    checkRange('delayMs', policy.delayMs, 0)
  } else {
    // A base of 0 would be 0 * Infinity = NaN once the factor has grown out of a double.
    checkRange('baseMs', policy.baseMs, Number.MIN_VALUE)
    checkRange('factor', policy.factor, 1)
    checkRange('capMs', policy.capMs, 0)
  }
}

function checkRange(field: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  // Not `value < least || value > most`: NaN must not pass.
  const inRange = value >= least && value <= most
  if (!inRange) throw new RangeError(`retry policy: ${field} cannot be ${value}`)
}
