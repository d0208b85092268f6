import { defineConfig } from 'vitest/config'
import { TotalReporter } from './scripts/total-reporter.ts'

/**
 * Three projects, told apart by file name and run in this order:
 *   *.test.ts              unit: no I/O, no broker, seconds
 *   *.integration.test.ts  integration: real Kafka, one stack for the whole run
 *                          (*cluster.integration.test.ts: three brokers of its own, which it kills; always local processes)
 *   *.e2e.test.ts          end-to-end: the make targets, as a person types them
 */
export default defineConfig({
  test: {
    reporters: ['default', new TotalReporter()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,services,scripts}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.integration.test.ts', '**/*.e2e.test.ts'],
          sequence: { groupOrder: 1 },
          // They share nothing but what they import, so they need not import it anew for each file.
          isolate: false,
          maxWorkers: 2,
          // Long enough for a few `soon` in one test, on a machine that is busy with something else.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{packages,services,scripts}/**/*.integration.test.ts'],
          globalSetup: ['packages/test-kit/src/global-setup.ts'],
          setupFiles: ['packages/test-kit/src/ports-of-worker.ts'],
          sequence: { groupOrder: 2 },
          // They wait for brokers most of the time, so that more files than cores run side by side.
          maxWorkers: 5,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['scripts/**/*.e2e.test.ts'],
          setupFiles: ['packages/test-kit/src/ports-of-worker.ts'],
          sequence: { groupOrder: 3 },
          // Each file has a stack of its own, and waits most of the time.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
