/**
 * A Kafka Connect worker with Debezium's connectors, a process of local-stack whatever the run's stack is made of: tests that use
 * it need Java and Maven. A start takes seconds and half a gigabyte, so one worker serves a whole file.
 */
import { startConnect, type ConnectOptions, type StartedConnect } from '@kafka-pattern/local-stack'
import { inject } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import { testKafka } from './test-kafka.ts'
import { newConnectDir } from './test-run.ts'
import { uniqueName } from './unique-name.ts'

export type OwnConnect = { url: string; process: StartedConnect['server']; stop(): Promise<void> }

/**
 * Starts a worker on the run's brokers, with topics of its own. Started in `beforeAll` it is for the whole file: return `stop` from
 * there; started in a test it ends with it. What is forgotten ends with the run.
 */
export async function startOwnConnect(
  options: Omit<ConnectOptions, 'brokers' | 'dataDir' | 'groupId'> = {},
): Promise<OwnConnect> {
  const connect = await startConnect({
    ...options,
    brokers: testKafka().brokers,
    dataDir: await newConnectDir(inject('testRunDir')),
    groupId: uniqueName('connect'),
  })
  // Its connectors are never used again, so they are not worth the seconds of an orderly stop.
  const stop = () => connect.server.kill()
  atEndOfTest(stop)
  return { url: connect.url, process: connect.server, stop }
}
