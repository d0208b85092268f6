import { identifyProcess, isAlive } from '@kafka-pattern/local-stack'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { eventually } from './eventually.ts'
import { beginRun, endRun } from './test-run.ts'

let folder: string
const started: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'test-run-test-'))
  vi.stubEnv('TMPDIR', folder)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const child of started) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function startSleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['600'])
  started.push(child)
  await once(child, 'spawn')
  return Object.assign(child, { pid: child.pid! })
}

test('when vitest is killed hard, its broker and its services end and its folder goes', async () => {
  const script = `
    import { identifyProcess, startKafka } from '@kafka-pattern/local-stack'
    import { spawn } from 'node:child_process'
    import { beginRun, newKafkaDir, registerProcess } from './test-run.ts'
    const runDir = await beginRun()
    const kafka = await startKafka({ dataDir: await newKafkaDir(runDir) })
    const service = spawn('sleep', ['600'], { detached: true })
    await registerProcess(runDir, await identifyProcess(service.pid))
    console.log(JSON.stringify({ runDir, pids: [kafka.nodes[0].pid, service.pid] }))
    setInterval(() => {}, 1000)`
  // As a module of this folder, so that it imports what the tests import.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  const [line] = await once(child.stdout, 'data')
  const { runDir, pids }: { runDir: string; pids: number[] } = JSON.parse(String(line))
  const identities = await Promise.all(pids.map(pid => identifyProcess(pid)))
  expect(identities).not.toContain(null)

  child.kill('SIGKILL')
  await eventually(
    async () => {
      const alive = await Promise.all(identities.map(identity => isAlive(identity!)))
      expect(alive).toEqual([false, false])
      expect(existsSync(runDir)).toBe(false)
    },
    { what: 'the end of everything that the run started' },
  )
})

test('a run that nobody ended is ended by the next one', async () => {
  const service = await startSleeper()
  const abandoned = join(folder, `kafka-pattern-tests-${userInfo().username}`, 'run-abandoned')
  await mkdir(join(abandoned, 'processes'), { recursive: true })
  await writeFile(join(abandoned, 'owner.json'), JSON.stringify({ pid: 1, startTime: 'long ago' }))
  await writeFile(
    join(abandoned, 'processes', `${service.pid}.json`),
    JSON.stringify(await identifyProcess(service.pid)),
  )
  const runDir = await beginRun()
  await eventually(() => expect(service.signalCode).toBe('SIGKILL'), { what: 'the end of the service' })
  expect(existsSync(abandoned)).toBe(false)
  await endRun(runDir)
})

test('a run that goes on beside is left alone', async () => {
  const other = await beginRun()
  const service = await startSleeper()
  await writeFile(
    join(other, 'processes', `${service.pid}.json`),
    JSON.stringify(await identifyProcess(service.pid)),
  )
  const runDir = await beginRun()
  expect(existsSync(other)).toBe(true)
  expect(service.signalCode).toBeNull()
  await endRun(runDir)
  await endRun(other)
  await eventually(() => expect(service.signalCode).toBe('SIGKILL'), { what: 'the end of the service' })
})
