/**
 * vitest's global setup: one broker and one database for the whole run, gone when the run ends.
 * TEST_STACK=containers|local says what it is made of; by default containers where a Docker Engine answers.
 */
import { startKafka, startMariaDb } from '@kafka-pattern/local-stack'
import type { TestProject } from 'vitest/node'
import { isDockerEngineThere, startKafkaContainer } from './kafka-container.ts'
import { startMysqlContainer } from './mysql-container.ts'
import type { TestStack } from './second-mysql.ts'
import type { MysqlServer } from './test-mysql.ts'
import { beginRun, endRun, newKafkaDir, newMariaDbDir } from './test-run.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await chooseStack(process.env.TEST_STACK)
  const runDir = await beginRun()
  try {
    const running = await (stack === 'containers' ? startContainers() : startLocally(runDir))
    project.provide('kafkaBrokers', running.brokers)
    project.provide('mysqlServer', running.mysql)
    project.provide('testStack', stack)
    project.provide('testRunDir', runDir)
    return async () => {
      await running.stop()
      await endRun(runDir)
    }
  } catch (error) {
    await endRun(runDir)
    throw error
  }
}

/** Nobody kills this one: it may stand still for as long as a busy machine makes it, and still leads its partitions. */
const sharedBrokerConfig = { 'broker.session.timeout.ms': 60_000 }

type RunningStack = { brokers: string[]; mysql: MysqlServer; stop(): Promise<void> }

async function startContainers(): Promise<RunningStack> {
  const [kafka, mysql] = await Promise.all([startKafkaContainer(sharedBrokerConfig), startMysqlContainer()])
  return {
    brokers: kafka.brokers,
    mysql: mysql.server,
    async stop() {
      await Promise.all([kafka.stop(), mysql.stop()])
    },
  }
}

async function startLocally(runDir: string): Promise<RunningStack> {
  const [kafka, mariaDb] = await Promise.all([
    startKafka({
      dataDir: await newKafkaDir(runDir),
      config: sharedBrokerConfig,
      progress: tell,
    }),
    startMariaDb({ dataDir: await newMariaDbDir(runDir), binlog: true, progress: tell }),
  ])
  return {
    brokers: kafka.brokers,
    mysql: { host: mariaDb.host, port: mariaDb.port, rootPassword: '' },
    // The data is thrown away, so local servers are not worth an orderly stop: they end with the run.
    stop: async () => {},
  }
}

function tell(line: string): void {
  console.log(line)
}

async function chooseStack(wanted: string | undefined): Promise<TestStack> {
  if (wanted === 'containers' || wanted === 'local') return wanted
  if (wanted !== undefined && wanted !== '') {
    throw new Error(`TEST_STACK is "${wanted}": use containers or local, or leave it out.`)
  }
  return (await isDockerEngineThere()) ? 'containers' : 'local'
}
