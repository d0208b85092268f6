/**
 * What the figures of the database patterns run on, beside the broker: one MariaDB, and one worker of Kafka Connect for Debezium. Each
 * figure gets databases of its own. The worker serves them all, because a fresh one is half as fast as one that has worked.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kafka } from '../../../packages/kafka-config/src/index.ts'
import { startConnect, startMariaDb, type StartedConnect } from '../../../packages/local-stack/src/index.ts'
import { createMysql, type Mysql } from '../../../packages/mysql-config/src/index.ts'
import type { Logger } from '../../../packages/service-runtime/src/index.ts'

export interface Databases {
  readonly brokers: string[]
  readonly kafka: Kafka
  readonly logger: Logger
  readonly admin: ReturnType<Kafka['admin']>
  /** An empty database with the tables, users and grants of infra/mysql. */
  createDatabase(): Promise<BenchDatabase>
  /** The worker, started when it is first asked for. */
  connect(): Promise<StartedConnect>
  stop(): Promise<void>
}

export interface BenchDatabase {
  readonly host: string
  readonly port: number
  readonly name: string
  /** As root, who may do everything. */
  readonly root: Mysql
  /** How a service connects: as the user of its own, or as root. */
  env(service: string): Record<string, string>
  drop(): Promise<void>
}

const progress = (line: string) => console.error(line)

const schemaDir = join(import.meta.dirname, '../../../infra/mysql')

export async function startDatabases(options: {
  brokers: string[]
  kafka: Kafka
  /** The folder that everything is in; removing it is the caller's. */
  dataDir: string
  logger: Logger
}): Promise<Databases> {
  const { brokers, kafka, dataDir, logger } = options
  const mariaDb = await startMariaDb({ dataDir: join(dataDir, 'mariadb'), binlog: true, progress })
  const admin = kafka.admin()
  await admin.connect()
  let connect: Promise<StartedConnect> | undefined
  let databases = 0

  return {
    brokers,
    kafka,
    logger,
    admin,
    async createDatabase() {
      const name = `bench_${++databases}`
      const files = (await readdir(schemaDir)).filter(file => file.endsWith('.sql')).toSorted()
      const schema = await Promise.all(files.map(file => readFile(join(schemaDir, file), 'utf8')))
      await mariaDb.sql(`CREATE DATABASE ${name}; USE ${name};\n${schema.join('\n')}`)
      const { host, port } = mariaDb
      const root = createMysql(
        {
          MYSQL_HOST: host,
          MYSQL_PORT: port,
          MYSQL_USER: 'root',
          MYSQL_PASSWORD: '',
          MYSQL_DATABASE: name,
          MYSQL_TLS: false,
          MYSQL_POOL_SIZE: 4,
        },
        logger,
      )
      return {
        host,
        port,
        name,
        root,
        env(service) {
          const user = service.replaceAll('-', '_')
          return {
            MYSQL_HOST: host,
            MYSQL_PORT: String(port),
            MYSQL_USER: user,
            MYSQL_PASSWORD: user === 'root' ? '' : user,
            MYSQL_DATABASE: name,
          }
        },
        async drop() {
          await root.write(`DROP DATABASE ${name}`)
          await root.close()
        },
      }
    },
    connect: () =>
      (connect ??= startConnect({
        brokers,
        dataDir: join(dataDir, 'connect'),
        groupId: 'bench-connect',
        connectors: ['mariadb', 'jdbc'],
        // What Kafka's own start script and Debezium's image give a worker.
        heapBytes: 2 * 2 ** 30,
        tuning: 'throughput',
        progress,
      })),
    async stop() {
      await admin.disconnect()
      // Nobody reads their data afterwards, so it is not worth the seconds of an orderly stop.
      await (await connect?.catch(() => undefined))?.server.kill()
      await mariaDb.server.kill()
    },
  }
}
