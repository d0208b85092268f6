/** What a person gets who has something wrong: a sentence that names it, the remedy, and an exit code that is not 0. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { isPortFree } from '@kafka-pattern/local-stack'
import { describe, expect, onTestFinished, test } from 'vitest'
import { repositoryDir } from '../repository.ts'
import { make, newStack, type TestStack } from './make.ts'

async function stackOfThisTest(): Promise<TestStack> {
  const stack = await newStack()
  onTestFinished(() => stack.remove())
  return stack
}

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'kafka-pattern-e2e-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A folder for PATH that has everything that is there now, but for some commands. */
async function pathWithout(...missing: string[]): Promise<string> {
  const dir = await temporaryDir()
  const commands = new Map<string, string>()
  for (const from of (process.env.PATH ?? '').split(delimiter).filter(existsSync)) {
    // The first in PATH wins.
    for (const name of readdirSync(from)) if (!commands.has(name)) commands.set(name, join(from, name))
  }
  for (const [name, path] of commands) if (!missing.includes(name)) symlinkSync(path, join(dir, name))
  return dir
}

async function setUpFreshClone(path: string): Promise<{ code: unknown; stderr: string }> {
  const clone = await temporaryDir()
  await mkdir(join(clone, 'scripts'))
  for (const file of ['scripts/setup.sh', 'package.json', 'pnpm-lock.yaml']) {
    await cp(join(repositoryDir, file), join(clone, file))
  }
  return new Promise(resolve => {
    execFile(join(clone, 'scripts', 'setup.sh'), { env: { PATH: path } }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    )
  })
}

describe('settings', () => {
  test('one that services refuse: their own sentence, which services, and nothing is started', async () => {
    const stack = await stackOfThisTest()
    const { code, stderr, output } = await stack.make('up', 'LOG_LEVEL=chatty')
    expect(code, output).not.toBe(0)
    const sentence =
      /LOG_LEVEL of user-api, family-api, coworker-api, .*: must be one of trace, .* \(was "chatty"\)/
    expect(stderr).toMatch(sentence)
    expect(output).not.toContain('This is a defect')
    expect(await isPortFree(stack.ports.KAFKA_PORT!)).toBe(true)

    const doctor = await stack.make('doctor', 'LOG_LEVEL=chatty')
    expect(doctor.code).not.toBe(0)
    expect(doctor.stdout).toMatch(sentence)
  })

  test.each([
    ['KAFKA_PORT=abc', 'KAFKA_PORT must be a port number from 1 to 65535'],
    [
      'USER_API_PORT=3002',
      'Port 3002 is to be that of user-api and family-api. Change USER_API_PORT or FAMILY_API_PORT.',
    ],
    ['BROKERS=2', 'BROKERS must be 1 or 3, but is "2".'],
    ['KAFKA_PROT=9192', 'Nothing reads KAFKA_PROT.'],
    ['RUNTIME=sideways', 'RUNTIME must be local or containers, but is "sideways".'],
  ])('%s', async (setting, sentence) => {
    const { code, stderr } = await make(['up', setting])
    expect(code).not.toBe(0)
    expect(stderr).toContain(sentence)
  })
})

test('a demo whose records do not all arrive names those that are missing, and where to look', async () => {
  const stack = await stackOfThisTest()
  // Neither full nor old enough: no batch closes while the demo waits.
  const { code, stdout, output } = await stack.make('up', 'BATCH_SIZE=1000', 'BATCH_TIMEOUT_MS=600000')
  expect(code, output).not.toBe(0)
  expect(stdout).toMatch(
    /Not processed in time: .*Ada user\/\d@\d+.* See `make logs SERVICE=batch-consumer`\./,
  )
  expect(stdout).toMatch(/Not dead-lettered in time: unreadable user\/\d@\d+, rejected coworker\/\d@\d+\./)
  expect(stdout).not.toContain('Not seen in time')
  expect(stdout).not.toContain('Every record arrived')
})

describe('ports', () => {
  test('one in use: the port, who holds it, the variable that moves it, and nothing is started', async () => {
    const stack = await stackOfThisTest()
    const port = stack.ports.FAMILY_API_PORT!
    const server = createServer()
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
    })
    const { code, stderr } = await stack.make('up')
    expect(code).not.toBe(0)
    expect(stderr).toContain(`Port ${port} of family-api is in use by `)
    expect(stderr).toContain(`(pid ${process.pid})`)
    expect(stderr).toContain('FAMILY_API_PORT=<port>')
    expect(await isPortFree(stack.ports.KAFKA_PORT!)).toBe(true)

    const doctor = await stack.make('doctor')
    expect(doctor.code).not.toBe(0)
    expect(doctor.stdout).toContain(`${port} family-api: in use by `)
    expect(doctor.stdout).toContain('1 thing(s) to change')
  })
})

describe('tools', () => {
  test('no Java for the local runtime', async () => {
    const stack = await stackOfThisTest()
    const { code, stderr } = await stack.make(
      'up',
      'RUNTIME=local',
      `PATH=${await pathWithout('java')}`,
      'JAVA_HOME=',
    )
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^✗ Java 17 or newer is needed and `java` was not found: install one/m)
  })

  test('no Maven for the local runtime, when the broker has yet to be fetched', async () => {
    const stack = await stackOfThisTest()
    const cache = `XDG_CACHE_HOME=${await temporaryDir()}`
    const { code, stderr } = await stack.make(
      'up',
      'RUNTIME=local',
      `PATH=${await pathWithout('mvn')}`,
      cache,
    )
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^✗ Maven is needed .* `mvn` was not found: install it/m)
  })

  test('RUNTIME=containers without docker', async () => {
    const { code, stderr } = await make(['up', 'RUNTIME=containers', `PATH=${await pathWithout('docker')}`])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(
      /RUNTIME=containers needs a Docker Engine with Compose, but docker is not installed/,
    )
  })

  test('a docker client without an engine counts as no docker', async () => {
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock', LOCAL_STACK_DIR: await temporaryDir() }
    const { stdout } = await make(['doctor'], env)
    expect(stdout).toMatch(
      /No containers, because (no Docker Engine answers.*|docker is not installed): `make up` runs local processes/,
    )
  })
})

describe('the first call on a fresh clone', () => {
  test('no Node', async () => {
    const { code, stderr } = await setUpFreshClone(await pathWithout('node'))
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^Node is needed to begin with and `node` was not found: install Node 20 or newer[^\n]*\n$/,
    )
  })

  test('a Node that is too old', async () => {
    const path = await pathWithout('node')
    await writeFile(join(path, 'node'), '#!/bin/sh\necho v18.20.1\n', { mode: 0o755 })
    const { code, stderr } = await setUpFreshClone(path)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^Node 20 or newer is needed to begin with, but `node` is v18\.20\.1: install[^\n]*\n$/,
    )
  })

  test('no npm', async () => {
    const { code, stderr } = await setUpFreshClone(await pathWithout('npx'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^npm is needed to begin with and `npx` was not found: install npm[^\n]*\n$/)
  })
})

describe('make', () => {
  test('alone lists every target with a line', async () => {
    const { code, stdout } = await make([])
    expect(code).toBe(0)
    for (const target of [
      'up',
      'cdc-up',
      'outbox-up',
      'cdc-debezium-up',
      'outbox-debezium-up',
      'cluster-up',
      'lambda-invoke',
      'watch',
      'lag',
      'ui-up',
      'scale',
      'ps',
      'logs',
      'down',
      'clean',
      'dlt',
      'sql',
      'doctor',
      'test',
      'test-unit',
      'check',
      'prove',
      'bench',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ +make ${target} +\\S.+`, 'm'))
    }
  })

  test('with a target that there is not lists those that there are', async () => {
    const { code, stdout, stderr } = await make(['cdc-ups'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain("There is no 'make cdc-ups'.")
    expect(stderr).toMatch(/^ +make cdc-up +\S.+/m)
  })

  test.each([
    [['logs', 'SERVICE=nope'], 'There is no service "nope".'],
    [['logs'], 'Which service?'],
  ])('%s names the services', async (parameters, sentence) => {
    const { code, stderr } = await make(parameters)
    expect(code).not.toBe(0)
    expect(stderr).toContain(sentence)
    expect(stderr).toContain(
      'kafka, kafka-1, kafka-2, kafka-3, user-api, family-api, coworker-api, simple-consumer, batch-consumer',
    )
  })

  test.each([
    [['scale', 'SERVICE=nope', 'N=3'], 'There is no service "nope". Say make scale SERVICE=<one of'],
    [['scale', 'SERVICE=user-api', 'N=3'], 'user-api cannot be scaled here'],
    [['scale', 'SERVICE=batch-consumer', 'N=0'], 'N must be a whole number from 1 to 32, but is "0".'],
  ])('%s says what can be', async (parameters, sentence) => {
    const { code, stderr } = await make(parameters)
    expect(code).not.toBe(0)
    expect(stderr).toContain(sentence)
  })

  test.each([['ps'], ['bench']])('%s refuses a variable that nothing reads', async target => {
    const { code, stderr } = await make([target, 'FIGUR=http', 'FIGURE=none'])
    expect(code).not.toBe(0)
    expect(stderr).toContain('Nothing reads FIGUR.')
  })

  test('watch, lag, scale and dlt say that nothing runs', async () => {
    const stack = await stackOfThisTest()
    const scale = await stack.make('scale', 'SERVICE=batch-consumer', 'N=3')
    expect(scale.code).not.toBe(0)
    expect(scale.stderr).toContain('batch-consumer does not run: `make up` starts it.')
    expect((await stack.make('watch')).stderr).toContain('Nothing runs')
    const lag = await stack.make('lag')
    expect(lag.code).not.toBe(0)
    expect(lag.stderr).toMatch(/^✗ Nothing runs, so nobody can be behind\. `make up` starts it\.$/m)
    expect((await stack.make('dlt')).stderr).toMatch(/Kafka at \S+ cannot be reached/)
  })

  test('ui-up without containers says what is needed, and what there is instead', async () => {
    const { code, stderr } = await make(['ui-up', 'RUNTIME=local', `PATH=${await pathWithout('docker')}`])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(
      /^✗ kafka-ui and Redpanda Console are to be had as container images only: docker is not installed: docs\.docker\.com.*`make lag`/m,
    )
  })
})
