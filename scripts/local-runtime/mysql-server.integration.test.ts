import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort, findMariaDb } from '@kafka-pattern/local-stack'
import { expect, onTestFinished, test } from 'vitest'
import { readComposeFile } from '../compose-file/compose-file.ts'
import { composeFilePath } from '../repository.ts'
import { isMysql, mysqlServer } from './mysql-server.ts'

test('the schema is loaded once, the data stays, and a load that was interrupted is begun anew', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-mysql-'))
  const file = await readComposeFile(composeFilePath, { MYSQL_PORT: String(await findFreePort()) })
  const service = file.services.find(isMysql)!
  const start = () => mysqlServer.start(stateDir, service, () => {})
  const stop = async () => (await mysqlServer.find(stateDir, service.name))?.stop()
  const sql = async (statements: string) =>
    (await findMariaDb(join(stateDir, service.name)))!.sql(`USE kafka_pattern; ${statements}`)
  onTestFinished(async () => {
    await stop()
    await rm(stateDir, { recursive: true, force: true })
  })

  await start()
  expect(await mysqlServer.find(stateDir, service.name)).toMatchObject({ port: service.ports[0]!.hostPort })
  expect(await sql('SELECT component FROM schema_versions')).toContain('user-registry\n')
  await sql("INSERT INTO users (id, name, level, version) VALUES ('a', 'Ada', 1, 1)")
  await stop()
  await start()
  expect(await sql('SELECT name FROM users')).toBe('Ada\n')

  await sql('DROP TABLE outbox')
  await stop()
  await rm(join(stateDir, service.name, 'schema-loaded'))
  await start()
  expect(await sql('SELECT COUNT(*) FROM outbox')).toBe('0\n')
  expect(await sql('SELECT COUNT(*) FROM users')).toBe('0\n')
}, 300_000)
