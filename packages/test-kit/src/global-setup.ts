/** vitest's global setup: one broker stack for the whole run, gone when the run ends. */
import { startKafka } from '@kafka-pattern/local-stack'
import type { TestProject } from 'vitest/node'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kafka = await startKafka({ progress: line => console.log(line) })
  project.provide('kafkaBrokers', kafka.brokers)
  return () => kafka.stop()
}
