/** Debezium's connectors as infra/connect describes them, on the worker of the benchmark. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectorClasses, registerConnector } from '../../../scripts/connect/register-connector.ts'
import { forgetPeakResident } from '../run-script.ts'
import type { BenchDatabase, Databases } from './databases.ts'

/** The properties that issue reports and Debezium's documentation name for throughput. */
export const tuned = {
  'poll.interval.ms': '10',
  'max.batch.size': '8192',
  'max.queue.size': '32768',
  'producer.override.linger.ms': '5',
}

export interface Connector {
  readonly name: string
  /** Its process. */
  readonly pid: number
  /** From now on the largest memory of the process is measured anew. */
  forgetPeak(): void
  /** @throws with the connector's own error when it has failed */
  requireAlive(): Promise<void>
  /** Resolves when its tasks have ended; `resume` goes on where they ended. */
  stop(): Promise<void>
  resume(): Promise<void>
  remove(): Promise<void>
}

/** Registers infra/connect/<file>.json under a name of its own and waits until it runs or, with `follows`, has taken its snapshot. */
export async function startSource(
  databases: Databases,
  database: BenchDatabase,
  options: { file: string; name: string; overrides: Record<string, string>; topic: string; follows: boolean },
): Promise<Connector> {
  const { file, name, overrides, topic, follows } = options
  const connect = await databases.connect()
  const connector = connectorOf(connect.url, connect.server.pid!, name)
  try {
    await registerConnector({
      connectUrl: connect.url,
      registrationFile: join(import.meta.dirname, `../../../infra/connect/${file}.json`),
      variables: {
        ...database.env('debezium'),
        CONNECTOR_NAME: name,
        CONNECTOR_CLASS: connectorClasses.mariadb,
        KAFKA_BROKERS: databases.brokers.join(','),
        KAFKA_TOPIC: topic,
      },
      overrides,
      ...(follows && { mysql: database.root }),
    })
  } catch (error) {
    await connector.remove().catch(() => {})
    throw error
  }
  return connector
}

/** Registers a connector that infra/connect does not have. */
export async function startConnector(
  databases: Databases,
  name: string,
  config: Record<string, string>,
): Promise<Connector> {
  const connect = await databases.connect()
  await request(connect.url, 'PUT', `/connectors/${name}/config`, config)
  return connectorOf(connect.url, connect.server.pid!, name)
}

function connectorOf(url: string, pid: number, name: string): Connector {
  const path = `/connectors/${name}`
  const status = async () =>
    (await request(url, 'GET', `${path}/status`)) as {
      connector: { state: string; trace?: string }
      tasks: { state: string; trace?: string }[]
    }
  const untilState = async (reached: (now: Awaited<ReturnType<typeof status>>) => boolean) => {
    const deadline = performance.now() + 60_000
    while (!reached(await status())) {
      if (performance.now() > deadline) throw new Error(`connector ${name} does not change its state`)
      await sleep(50)
    }
  }
  const connector: Connector = {
    name,
    pid,
    forgetPeak: () => forgetPeakResident(pid),
    async requireAlive() {
      const { connector: itself, tasks } = await status()
      const failed = [itself, ...tasks].find(({ state }) => state === 'FAILED')
      if (failed) throw new Error(`connector ${name} failed: ${failed.trace?.slice(0, 1_000)}`)
    },
    async stop() {
      await request(url, 'PUT', `${path}/stop`)
      await untilState(now => now.connector.state === 'STOPPED' && now.tasks.length === 0)
    },
    async resume() {
      await request(url, 'PUT', `${path}/resume`)
      await untilState(now => now.tasks.length > 0)
    },
    async remove() {
      await connector.stop()
      await request(url, 'DELETE', path)
    },
  }
  return connector
}

async function request(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url + path, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })
    const text = await response.text()
    if (response.ok) return text === '' ? null : JSON.parse(text)
    // 404: the worker has not heard of the connector yet. 409: it is busy with another registration.
    if (![404, 409].includes(response.status) || attempt === 100) {
      throw new Error(`Kafka Connect answers ${response.status} to ${method} ${path}: ${text.slice(0, 500)}`)
    }
    await sleep(100)
  }
}
