import { defineConfig } from 'vitest/config'

/**
 * Three projects, told apart by file name:
 *   *.test.ts              unit: no I/O, no broker, seconds
 *   *.integration.test.ts  integration: real Kafka, one stack for the whole run
 *   *.e2e.test.ts          end-to-end: the make targets, as a person types them
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,services,scripts}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.integration.test.ts', '**/*.e2e.test.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{packages,services,scripts}/**/*.integration.test.ts'],
          globalSetup: ['packages/test-kit/src/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['scripts/**/*.e2e.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
