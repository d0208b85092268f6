import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node'

/**
 * Ends a vitest run with its total over all projects, alone on a line: "12 passed, 0 failed". A file that could not be loaded,
 * and an error outside of every test, count as a failure: a run in which either happened must not end with "0 failed".
 */
export class TotalReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], reason: TestRunEndReason): void {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      if (module.errors().length > 0) failed++
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        if (state === 'failed' || state === 'pending') failed++
      }
    }
    if (reason === 'failed' && failed === 0) failed = 1
    // Behind the summary of the default reporter, which is printed in the same turn.
    process.once('exit', () => process.stdout.write(`\n${passed} passed, ${failed} failed\n`))
  }
}
