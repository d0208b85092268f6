/** mysql: MariaDB in its place, with a binary log of whole rows, and infra/mysql loaded into the same database. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, findMariaDb, startMariaDb, type StartedMariaDb } from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { mysqlSchemaDir } from '../repository.ts'
import type { SqlClient } from '../runtime/runtime.ts'
import { UserError } from '../user-error.ts'
import { dataDirOf, portOf, type ImageServer } from './image-server.ts'

/** For the clients of both servers: without a terminal they would write tabs. */
export const asTable = ['--table']

export const mysqlServer: ImageServer = {
  image: 'mysql',

  async start(stateDir, service, progress) {
    const database = databaseOf(service)
    const dataDir = dataDirOf(stateDir, service.name)
    const mariaDb = await startMariaDb({ dataDir, port: portOf(service), binlog: true, progress })
    try {
      await loadSchema(mariaDb, database)
    } catch (error) {
      await mariaDb.stop()
      throw error
    }
  },

  async find(stateDir, service) {
    return (await findMariaDb(dataDirOf(stateDir, service)))?.server ?? null
  },

  logFile: (stateDir, { name }) => join(dataDirOf(stateDir, name), 'server.log'),
}

/** As `Runtime.sqlClient`. */
export async function mariaDbClient(stateDir: string, service: ComposeService): Promise<SqlClient | null> {
  const mariaDb = await findMariaDb(dataDirOf(stateDir, service.name))
  if (mariaDb === null || !(await mariaDb.server.isRunning())) return null
  const { command, parameters } = mariaDb.client
  // Here root has no password, whatever this process has been told.
  return { command, parameters: [...parameters, ...asTable, databaseOf(service)], env: { MYSQL_PWD: '' } }
}

export function isMysql(service: ComposeService): boolean {
  return service.image?.startsWith(`${mysqlServer.image}:`) === true
}

/** @throws {UserError} when it has none that can be written as it is */
export function databaseOf({ name, environment: { MYSQL_DATABASE } }: ComposeService): string {
  if (MYSQL_DATABASE !== undefined && /^\w+$/.test(MYSQL_DATABASE)) return MYSQL_DATABASE
  throw new UserError(`docker-compose.yml: MYSQL_DATABASE of ${name} must be a plain name.`)
}

/** Once for each data folder. The mark is set last: what was interrupted is begun anew and never taken for a whole schema. */
async function loadSchema(mariaDb: StartedMariaDb, database: string): Promise<void> {
  const mark = join(mariaDb.dataDir, 'schema-loaded')
  if (await exists(mark)) return
  await mariaDb.sql(`DROP DATABASE IF EXISTS ${database}; CREATE DATABASE ${database};`)
  const files = (await readdir(mysqlSchemaDir)).filter(name => name.endsWith('.sql')).toSorted()
  for (const file of files) {
    await mariaDb.sql(`USE ${database};\n${await readFile(join(mysqlSchemaDir, file), 'utf8')}`)
  }
  await writeFile(mark, `${files.join('\n')}\n`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
