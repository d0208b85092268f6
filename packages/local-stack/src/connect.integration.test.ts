import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { findConnect, startConnect } from './connect.ts'
import { findKafka, startKafka } from './kafka.ts'
import { isPortFree } from './ports.ts'
import { identifyProcess } from './process-identity.ts'

let kafkaDir: string
let dataDir: string

beforeEach(async () => {
  kafkaDir = await mkdtemp(join(tmpdir(), 'local-stack-test-'))
  dataDir = await mkdtemp(join(tmpdir(), 'local-stack-test-'))
  return async () => {
    await (await findConnect(dataDir))?.server.kill()
    await Promise.all((await findKafka(kafkaDir))?.nodes.map(node => node.kill()) ?? [])
    await Promise.all([kafkaDir, dataDir].map(dir => rm(dir, { recursive: true, force: true })))
  }
})

test(
  'a worker has the connectors of both databases, is found by its folder and stops',
  { timeout: 240_000 },
  async () => {
    const kafka = await startKafka({ dataDir: kafkaDir })
    await expect(
      startConnect({ brokers: kafka.brokers, dataDir, config: { 'plugin.discovery': 'by luck' } }),
    ).rejects.toThrow(/Kafka Connect ended while starting.*plugin\.discovery/s)
    expect(await findConnect(dataDir)).toBeNull()

    const connect = await startConnect({ brokers: kafka.brokers, dataDir })
    const plugins = await fetch(`${connect.url}/connector-plugins`)
    expect(await plugins.json()).toMatchObject([
      { class: 'io.debezium.connector.mariadb.MariaDbConnector', version: '3.5.0.Final' },
      { class: 'io.debezium.connector.mysql.MySqlConnector', version: '3.5.0.Final' },
    ])
    await expect(startConnect({ brokers: kafka.brokers, dataDir })).rejects.toThrow(/already runs on/)
    await expect(startKafka({ dataDir })).rejects.toThrow(/holds the data of Kafka Connect, not of Kafka/)

    const found = await findConnect(dataDir)
    expect(found?.url).toBe(connect.url)

    const { pid } = found!.server
    await found!.stop()
    expect(await identifyProcess(pid!)).toBeNull()
    expect(await isPortFree(connect.port)).toBe(true)
    expect(await findConnect(dataDir)).toBeNull()
  },
)
