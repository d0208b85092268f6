/** A database for each test on the run's server, with the tables, users and grants of infra/mysql. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createMysql, type Mysql, type MysqlSettings } from '@kafka-pattern/mysql-config'
import { pino } from 'pino'
import { inject } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import { uniqueName } from './unique-name.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** the run's database server; set by global-setup.ts */
    mysqlServer: MysqlServer
  }
}

export type MysqlServer = { host: string; port: number; rootPassword: string }

export type TestDatabase = {
  readonly server: MysqlServer
  readonly name: string
  /** as root, who may do everything */
  readonly root: Mysql
  /** How a service connects as its own user, by the service's name; `env` of `startService` and for `createMysql`. */
  settings(service: string): MysqlSettings
  /** The same as environment variables. */
  env(service: string): Record<string, string>
  /** A pool of that user, closed at the end of the test. */
  connect(service: string): Mysql
  drop(): Promise<void>
}

const sqlDir = join(import.meta.dirname, '..', '..', '..', 'infra', 'mysql')

/**
 * Creates a database of this test's own and loads infra/mysql into it; dropped at the end of the test. `on` is another server
 * than the run's; `load: false` leaves it empty.
 */
export async function createDatabase(
  options: { on?: MysqlServer; load?: boolean } = {},
): Promise<TestDatabase> {
  const server = options.on ?? inject('mysqlServer')
  const name = uniqueName('test').replaceAll('-', '_')
  const settingsOf = (user: string, password: string, database: string): MysqlSettings => ({
    MYSQL_HOST: server.host,
    MYSQL_PORT: server.port,
    MYSQL_USER: user,
    MYSQL_PASSWORD: password,
    MYSQL_DATABASE: database,
    MYSQL_TLS: false,
    MYSQL_POOL_SIZE: 10,
  })
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
  const maintenance = createMysql(settingsOf('root', server.rootPassword, 'mysql'), logger)
  try {
    await maintenance.write(`CREATE DATABASE ${name}`)
  } finally {
    await maintenance.close()
  }
  const root = createMysql(settingsOf('root', server.rootPassword, name), logger)
  if (options.load ?? true) {
    for (const statement of await schemaStatements()) await root.write(statement)
  }
  const pools: Mysql[] = []
  let dropped: Promise<void> | null = null
  async function drop(): Promise<void> {
    await Promise.all(pools.map(pool => pool.close()))
    await root.write(`DROP DATABASE ${name}`)
    await root.close()
  }
  const database: TestDatabase = {
    server,
    name,
    root,
    settings(service) {
      const user = service.replaceAll('-', '_')
      return settingsOf(user, user, name)
    },
    env(service) {
      const settings = Object.entries(database.settings(service))
      return Object.fromEntries(settings.map(([key, value]) => [key, String(value)]))
    },
    connect(service) {
      const pool = createMysql(database.settings(service), logger)
      pools.push(pool)
      return pool
    },
    drop: () => (dropped ??= drop()),
  }
  atEndOfTest(() => database.drop())
  return database
}

/** The statements of all files of infra/mysql, in order. */
export async function schemaStatements(): Promise<string[]> {
  const files = (await readdir(sqlDir)).filter(file => file.endsWith('.sql')).toSorted()
  const texts = await Promise.all(files.map(file => readFile(join(sqlDir, file), 'utf8')))
  return texts.flatMap(text =>
    text
      .replaceAll(/^\s*--.*$/gm, '')
      .split(/;\s*$/m)
      .map(statement => statement.trim())
      .filter(statement => statement !== ''),
  )
}
