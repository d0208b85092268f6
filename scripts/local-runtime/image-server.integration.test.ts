import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort, findMariaDb, startMariaDb } from '@kafka-pattern/local-stack'
import { expect, onTestFinished, test } from 'vitest'
import { readComposeFile } from '../compose-file/compose-file.ts'
import { composeFilePath, repositoryDir } from '../repository.ts'
import { startAsDescribed, wasStartedAsDescribed } from './image-server.ts'
import { createLocalRuntime } from './local-runtime.ts'
import { isMysql, mysqlServer } from './mysql-server.ts'

test('`up` starts a server anew whose start was interrupted or whose description changed, and no other', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-up-'))
  const file = await readComposeFile(composeFilePath, { MYSQL_PORT: String(await findFreePort()) })
  const mysql = file.services.find(isMysql)!
  const dataDir = join(stateDir, mysql.name)
  const runtimeOf = (service: typeof mysql) =>
    createLocalRuntime({
      repositoryDir,
      file: { ...file, services: [service] },
      brokers: 1,
      variables: {},
      stateDir,
    })
  const pid = async () => (await runtimeOf(mysql).status())[0]?.process.pid
  const upAndPid = async (service = mysql) => {
    await runtimeOf(service).up([service])
    return pid()
  }
  const sql = async (statements: string) => (await findMariaDb(dataDir))!.sql(statements)
  onTestFinished(async () => {
    await runtimeOf(mysql).down()
    await rm(stateDir, { recursive: true, force: true })
  })

  // What is left of a start that ended while it loaded the schema.
  await startMariaDb({ dataDir, port: mysql.ports[0]!.hostPort, binlog: true })
  await sql('CREATE DATABASE kafka_pattern; CREATE TABLE kafka_pattern.users (half INT)')
  const interrupted = await pid()
  const whole = await upAndPid()
  expect(whole).not.toBe(interrupted)
  await sql("INSERT INTO kafka_pattern.users (id, name, level, version) VALUES ('a', 'Ada', 1, 1)")
  expect(await sql('SELECT component FROM kafka_pattern.schema_versions')).toContain('mysql-sink-consumer\n')

  expect(await upAndPid(), 'nothing changed').toBe(whole)
  const environment = { ...mysql.environment, MYSQL_ROOT_PASSWORD: 'another' }
  const changed = await upAndPid({ ...mysql, environment })
  expect(changed).not.toBe(whole)
  const otherPort = { ...mysql, ports: [{ ...mysql.ports[0]!, hostPort: await findFreePort() }] }
  expect(await upAndPid(otherPort)).not.toBe(changed)
  expect((await findMariaDb(dataDir))?.port).toBe(otherPort.ports[0]!.hostPort)
  expect(await sql('SELECT name FROM kafka_pattern.users'), 'the data stays').toBe('Ada\n')
}, 300_000)

test('of several `up` at once one starts the server, and the others find it', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-up-'))
  const file = await readComposeFile(composeFilePath, { MYSQL_PORT: String(await findFreePort()) })
  const mysql = file.services.find(isMysql)!
  const newRuntime = () =>
    createLocalRuntime({
      repositoryDir,
      file: { ...file, services: [mysql] },
      brokers: 1,
      variables: {},
      stateDir,
    })
  onTestFinished(async () => {
    await newRuntime().clean()
    await rm(stateDir, { recursive: true, force: true })
  })
  const upAndPid = async () => {
    const runtime = newRuntime()
    await runtime.up([mysql])
    return (await runtime.status())[0]?.process.pid
  }
  const [first, ...others] = await Promise.all([upAndPid(), upAndPid(), upAndPid()])
  expect(first).toEqual(expect.any(Number))
  expect(others).toEqual([first, first])

  expect(await newRuntime().down()).toEqual([mysql.name])
  expect(await readdir(stateDir)).toEqual([mysql.name])
}, 300_000)

test('`clean` and `down` at once with others: each has its turn', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-up-'))
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }))
  const file = await readComposeFile(composeFilePath, {})
  const runtime = createLocalRuntime({
    repositoryDir,
    file: { ...file, services: [] },
    brokers: 1,
    variables: {},
    stateDir,
  })
  const commands = [() => runtime.up([]), () => runtime.down(), () => runtime.clean()]
  const turns = Array.from({ length: 12 }, (_, index) => commands[index % commands.length]!())
  await Promise.all(turns)

  await runtime.clean()
  await expect(readdir(stateDir), 'nothing is left').rejects.toThrow('ENOENT')
}, 60_000)

test('a start counts once it has come to its end', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-start-'))
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }))
  const file = await readComposeFile(composeFilePath, {})
  const mysql = file.services.find(isMysql)!
  await mkdir(join(stateDir, mysql.name))
  const start = (startServer: () => Promise<void>) =>
    startAsDescribed({ ...mysqlServer, start: startServer }, stateDir, mysql, () => {})
  const counts = () => wasStartedAsDescribed(stateDir, mysql)

  await start(async () => expect(await counts(), 'while it starts').toBe(false))
  expect(await counts()).toBe(true)
  const again = start(async () => {
    expect(await counts(), 'while it starts again').toBe(false)
    throw new Error('interrupted')
  })
  await expect(again).rejects.toThrow('interrupted')
  expect(await counts()).toBe(false)
})
