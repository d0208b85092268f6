import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { findMariaDb, startMariaDb } from './mariadb.ts'
import { isPortFree } from './ports.ts'
import { identifyProcess } from './process-identity.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'local-stack-test-'))
  return async () => {
    const mariaDb = await findMariaDb(dataDir)
    await mariaDb?.server.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
})

test(
  'MariaDB starts with a binary log of rows, survives a kill, is found by its folder and stops',
  { timeout: 300_000 },
  async () => {
    const mariaDb = await startMariaDb({ dataDir, binlog: true })
    expect(await mariaDb.sql('SELECT @@log_bin, @@binlog_format, @@character_set_server')).toBe(
      '1\tROW\tutf8mb4\n',
    )
    await mariaDb.sql(
      'CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (7)',
    )
    await expect(startMariaDb({ dataDir })).rejects.toThrow(/already runs on/)

    await mariaDb.server.kill()
    await expect(mariaDb.sql('SELECT 1')).rejects.toThrow(/Can't connect/)
    await mariaDb.server.start()

    const found = await findMariaDb(dataDir)
    expect(found?.port).toBe(mariaDb.port)
    expect(await found!.sql('SELECT id FROM shop.t')).toBe('7\n')
    const { pid } = found!.server
    await found!.stop()
    expect(await identifyProcess(pid!)).toBeNull()
    expect(await isPortFree(mariaDb.port)).toBe(true)
    expect(await findMariaDb(dataDir)).toBeNull()
  },
)
