import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort, identifyProcess, isAlive } from '@kafka-pattern/local-stack'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readComposeFile } from '../compose-file/compose-file.ts'
import { composeFilePath, repositoryDir } from '../repository.ts'
import {
  isUpToDate,
  startService,
  stopService,
  type ServicePaths,
  type ServiceState,
} from './service-process.ts'

// As slow as with a cold disk: longer than a process takes to begin.
vi.mock(import('./source-fingerprint.ts'), async importOriginal => {
  const { fingerprintSources } = await importOriginal()
  return {
    fingerprintSources: async (...code) => {
      await sleep(1_000)
      return fingerprintSources(...code)
    },
  }
})

test.each([
  { program: 'echo begun; exec sleep 600', end: 'terminated' },
  { program: 'echo begun; kill -STOP $$; exec sleep 600', end: 'terminated' },
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

test('a service is known by the code that it began with, also when that changes while it starts', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kafka-pattern-service-'))
  const paths: ServicePaths = { repositoryDir: dir, stateDir: join(dir, 'state') }
  onTestFinished(async () => {
    await stopService(paths, 'worker', 60_000)
    await rm(dir, { recursive: true, force: true })
  })
  const source = join(dir, 'services', 'worker', 'src')
  await mkdir(source, { recursive: true })
  await writeFile(
    join(source, 'main.ts'),
    `import { appendFileSync } from 'node:fs'
    import { createServer } from 'node:http'
    appendFileSync(import.meta.filename, '// changed')
    createServer((_request, response) => response.end()).listen(Number(process.env.PROBE_PORT))`,
  )
  const { services } = await readComposeFile(composeFilePath, {})
  const environment = { PROBE_PORT: String(await findFreePort()) }
  const service = { ...services[0]!, name: 'worker', program: 'worker', environment }
  await startService(paths, service)
  expect(await isUpToDate(paths, service)).toBe(false)
})
