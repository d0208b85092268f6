import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from '../../packages/kafka-config/src/index.ts'
import { memoryBoundsOf } from './memory-bounds.ts'
import { loadHttp, peakResidentMb, startNode } from './run-script.ts'
import { tailRecords, type Result, type Task } from './task.ts'

export const mainFile = (service: string) => `${import.meta.dirname}/../../services/${service}/src/main.ts`

/** What docker-compose.yml gives the services, as far as it matters for speed and memory. */
const serviceEnv = (service: string, task: Task) => ({
  NODE_ENV: 'production',
  ...memoryBoundsOf(service),
  KAFKA_BROKERS: task.brokers.join(','),
  KAFKA_TOPIC: task.topic,
  KAFKA_TOPICS: task.topic,
  TOPIC_PARTITIONS: '6',
})

/** Loads simple-producer as it runs in production: with its log, one line a record. */
export async function runHttpService(
  service: string,
  task: Task,
  env: Record<string, string>,
): Promise<Result> {
  const server = startNode([mainFile(service)], {
    ...serviceEnv(service, task),
    PORT: '0',
    PROBE_PORT: '0',
    ...env,
  })
  try {
    return await loadHttp(server, { path: '/create', ...task })
  } finally {
    await server.stop()
  }
}

/**
 * Runs a consuming service over the whole topic, its stdout into a file, and samples its own counter of records: the
 * rate from the first sample that moved to the last one before the tail.
 */
export async function runConsumingService(
  service: string,
  task: Task,
  env: Record<string, string>,
  kafka: Kafka,
): Promise<Result> {
  const groupId = `bench-${randomUUID()}`
  await startAtBeginning(kafka, groupId, task.topic)
  const folder = mkdtempSync(join(tmpdir(), 'kafka-pattern-bench-'))
  const stdout = openSync(join(folder, 'stdout'), 'w')
  const probePort = await freePort()
  const child = spawn(process.execPath, [mainFile(service)], {
    env: {
      ...process.env,
      ...serviceEnv(service, task),
      KAFKA_CONSUMER_GROUP: groupId,
      PROBE_PORT: String(probePort),
      ...env,
    },
    stdio: ['ignore', stdout, 'inherit'],
  })
  const exited = once(child, 'exit')
  try {
    let first: Sample | undefined
    let last: Sample | undefined
    for (;;) {
      if (child.exitCode !== null) {
        throw new Error(
          `${service} ended with ${child.exitCode}:\n${readFileSync(join(folder, 'stdout'), 'utf8').slice(-2000)}`,
        )
      }
      const records = await countRecords(probePort)
      const sample = { at: performance.now(), records }
      if (records > 0) first ??= sample
      if (records <= task.records - tailRecords) last = sample
      if (first && records >= task.records) {
        return { value: rateBetween(first, last), residentMb: peakResidentMb(child.pid!) }
      }
      await sleep(100)
    }
  } finally {
    child.kill('SIGTERM')
    await exited
    closeSync(stdout)
    rmSync(folder, { recursive: true })
  }
}

interface Sample {
  at: number
  records: number
}

function rateBetween(first: Sample, last: Sample | undefined): number {
  if (last === undefined || last.records <= first.records) throw new Error('too few samples for a rate')
  return (last.records - first.records) / ((last.at - first.at) / 1000)
}

/** Commits offset 0 for every partition, so that also a service which reads from now on reads all of the topic. */
async function startAtBeginning(kafka: Kafka, groupId: string, topic: string): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const partitions = await admin.fetchTopicOffsets(topic)
  await admin.setOffsets({
    groupId,
    topic,
    partitions: partitions.map(({ partition }) => ({ partition, offset: '0' })),
  })
  await admin.disconnect()
}

/** The service's counter of records over all outcomes; 0 while its probes do not answer yet. */
export async function countRecords(probePort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${probePort}/metrics`).catch(() => undefined)
  if (!response) return 0
  const samples = (await response.text()).matchAll(/^kafka_records_total(?:\{[^}]*\})? (\d+)$/gm)
  return [...samples].reduce((sum, [, count]) => sum + Number(count), 0)
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
