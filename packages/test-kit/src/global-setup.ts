/** vitest's global setup: one broker stack for the whole run, gone when the run ends. */
import { startKafka } from '@kafka-pattern/local-stack'
import type { TestProject } from 'vitest/node'
import { beginRun, endRun, newKafkaDir } from './test-run.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runDir = await beginRun()
  try {
    const kafka = await startKafka({
      dataDir: await newKafkaDir(runDir),
      progress: line => console.log(line),
    })
    project.provide('kafkaBrokers', kafka.brokers)
    project.provide('testRunDir', runDir)
  } catch (error) {
    await endRun(runDir)
    throw error
  }
  return () => endRun(runDir)
}
