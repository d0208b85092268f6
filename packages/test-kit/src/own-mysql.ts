/**
 * A database server of a test's own, for tests that stop, kill or freeze it. A process of local-stack whatever the run's
 * stack is made of, so these tests need Maven.
 */
import { startMariaDb, type StartedMariaDb } from '@kafka-pattern/local-stack'
import { inject } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import type { MysqlServer } from './test-mysql.ts'
import { newMariaDbDir } from './test-run.ts'

export type OwnMysql = MysqlServer & { process: StartedMariaDb['server']; stop(): Promise<void> }

/** Started in a test it ends with it; started in `beforeAll`, return `stop` from there. What is forgotten ends with the run. */
export async function startOwnMysql(): Promise<OwnMysql> {
  const started = await startMariaDb({ dataDir: await newMariaDbDir(inject('testRunDir')), binlog: true })
  // Nobody reads the data afterwards, so it is not worth the seconds of an orderly stop.
  const stop = () => started.server.kill()
  atEndOfTest(stop)
  return { host: started.host, port: started.port, rootPassword: '', process: started.server, stop }
}
