/**
 * vitest's global setup: one broker stack for the whole run, gone when the run ends.
 * TEST_STACK=containers|local says what it is made of; by default containers where a Docker Engine answers.
 */
import { startKafka } from '@kafka-pattern/local-stack'
import type { TestProject } from 'vitest/node'
import { isDockerEngineThere, startKafkaContainer } from './kafka-container.ts'
import { beginRun, endRun, newKafkaDir } from './test-run.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await chooseStack(process.env.TEST_STACK)
  const runDir = await beginRun()
  try {
    const kafka =
      stack === 'containers'
        ? await startKafkaContainer()
        : await startKafka({ dataDir: await newKafkaDir(runDir), progress: line => console.log(line) })
    project.provide('kafkaBrokers', kafka.brokers)
    project.provide('testRunDir', runDir)
    return async () => {
      // The data is thrown away, so local brokers are not worth an orderly stop: they end with the run.
      if (stack === 'containers') await kafka.stop()
      await endRun(runDir)
    }
  } catch (error) {
    await endRun(runDir)
    throw error
  }
}

async function chooseStack(wanted: string | undefined): Promise<'containers' | 'local'> {
  if (wanted === 'containers' || wanted === 'local') return wanted
  if (wanted !== undefined && wanted !== '') {
    throw new Error(`TEST_STACK is "${wanted}": use containers or local, or leave it out.`)
  }
  return (await isDockerEngineThere()) ? 'containers' : 'local'
}
