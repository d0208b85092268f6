/**
 * Brokers of a test's own, for tests that stop, kill or freeze one: no other test is disturbed. They are processes of
 * local-stack whatever the run's stack is made of, so these tests need Java and Maven.
 */
import { startKafka, type KafkaOptions, type StartedKafka } from '@kafka-pattern/local-stack'
import { inject } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import { connectTo, type TestKafka } from './test-kafka.ts'
import { newKafkaDir } from './test-run.ts'

export type OwnKafka = TestKafka & { nodes: StartedKafka['nodes']; stop(): Promise<void> }

/**
 * Starts one broker (or three). Started in a test they end with it; started in `beforeAll` they are for the whole file:
 * return `stop` from there. What is forgotten ends with the run.
 */
export async function startOwnKafka(options: Omit<KafkaOptions, 'dataDir'> = {}): Promise<OwnKafka> {
  const started = await startKafka({ ...options, dataDir: await newKafkaDir(inject('testRunDir')) })
  // Nobody reads the data afterwards, so it is not worth the seconds of an orderly stop.
  const stop = async () => {
    await Promise.all(started.nodes.map(node => node.kill()))
  }
  atEndOfTest(stop)
  return { ...connectTo(started.brokers), nodes: started.nodes, stop }
}
