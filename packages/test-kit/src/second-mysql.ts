/**
 * Another database server of the kind that the run has, for tests that lock all of a server: FLUSH TABLES WITH READ LOCK, the first
 * thing that a snapshot of Debezium does, waits for every statement that runs, and holds up all that want to write meanwhile.
 */
import { inject } from 'vitest'
import { startOwnMysql } from './own-mysql.ts'
import type { MysqlServer } from './test-mysql.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** what the run's broker and database are; set by global-setup.ts */
    testStack: TestStack
  }
}

export type TestStack = 'containers' | 'local'

/** For a whole file: started in `beforeAll`, return `stop` from there. */
export async function startSecondMysql(): Promise<{ server: MysqlServer; stop(): Promise<void> }> {
  if (inject('testStack') === 'containers') {
    // Only here: testcontainers takes longer to load than all the rest.
    const { startMysqlContainer } = await import('./mysql-container.ts')
    return await startMysqlContainer()
  }
  const server = await startOwnMysql()
  return { server, stop: () => server.stop() }
}
