import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identifyProcess, isAlive } from '@kafka-pattern/local-stack'
import { expect, onTestFinished, test } from 'vitest'
import { repositoryDir } from '../repository.ts'
import { stopService, type ServicePaths, type ServiceState } from './service-process.ts'

test.each([
  { program: 'echo begun; exec sleep 600', end: 'terminated' },
  { program: 'trap "" TERM; echo begun; exec sleep 600', end: 'killed' },
  { program: 'echo begun', end: 'ended before' },
])('of a service that does `$program` is told: $end', async ({ program, end }) => {
  const paths: ServicePaths = {
    repositoryDir,
    stateDir: await mkdtemp(join(tmpdir(), 'kafka-pattern-service-')),
  }
  // It goes on when it is known who it is.
  const child = spawn('sh', ['-c', `read noted; ${program}`])
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await rm(paths.stateDir, { recursive: true, force: true })
  })
  const exited = once(child, 'exit')
  const process = (await identifyProcess(child.pid!))!
  await mkdir(join(paths.stateDir, 'services'))
  const state: ServiceState = { process, fingerprint: '', probePort: 0 }
  await writeFile(join(paths.stateDir, 'services', 'worker.json'), JSON.stringify(state))
  child.stdin.write('\n')
  await once(child.stdout, 'data')
  if (end === 'ended before') await exited

  expect(await stopService(paths, 'worker', end === 'killed' ? 200 : 60_000)).toBe(end)
  expect(await isAlive(process)).toBe(false)
  expect(await stopService(paths, 'worker', 0), 'it is not known any longer').toBeNull()
})
