import { onTestFinished, TestRunner } from 'vitest'

/**
 * Runs `close` when the current test has finished, failed or not. Outside a test (in beforeAll) nothing happens:
 * what is opened there belongs to the whole file or to the run.
 */
export function atEndOfTest(close: () => Promise<void>): void {
  if (TestRunner.getCurrentTest() !== undefined) onTestFinished(close)
}
