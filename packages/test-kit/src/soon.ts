import { vi } from 'vitest'

/**
 * For tests without I/O, where `eventually` would wait for longer than a test may take: resolves with what `check` returns as soon as it does
 * not throw, and fails with its error after 10 s, which is much longer than it takes on any machine.
 */
export function soon<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 10_000 })
}
