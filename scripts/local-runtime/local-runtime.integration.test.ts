/** Commands beside each other: what one has seen before it had its turn, another may have changed. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePorts, isAlive } from '@kafka-pattern/local-stack'
import { beforeEach, expect, test } from 'vitest'
import { readComposeFile, type ComposeFile, type ComposeService } from '../compose-file/compose-file.ts'
import { composeFilePath } from '../repository.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { createLocalRuntime } from './local-runtime.ts'
import { listStartedServices, readServiceState, type ServicePaths } from './service-process.ts'

let paths: ServicePaths
let file: ComposeFile

beforeEach(async () => {
  const repositoryDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-commands-'))
  paths = { repositoryDir, stateDir: join(repositoryDir, 'state') }
  const source = join(repositoryDir, 'services', 'worker', 'src')
  await mkdir(source, { recursive: true })
  await writeFile(
    join(source, 'main.ts'),
    `import { createServer } from 'node:http'
    createServer((_request, response) => response.end()).listen(Number(process.env.PROBE_PORT), '127.0.0.1')`,
  )
  file = await readComposeFile(composeFilePath, {})
  return async () => {
    await commandThatSees(await workers(9)).clean()
    await rm(repositoryDir, { recursive: true, force: true })
  }
})

/** The service and its instances, each at a port of its own. */
async function workers(count: number): Promise<ComposeService[]> {
  const ports = await findFreePorts(count)
  const described = file.services.find(service => service.program !== null)!
  return ports.map((port, i) => {
    const name = i === 0 ? 'worker' : `worker-${i + 1}`
    return {
      ...described,
      name,
      instanceOf: i === 0 ? null : 'worker',
      program: 'worker',
      environment: { PROBE_PORT: String(port) },
      ports: [],
      dependsOn: [],
    }
  })
}

function commandThatSees(services: ComposeService[]): Runtime {
  return createLocalRuntime({ ...paths, file: { ...file, services }, brokers: 1, variables: {} })
}

async function processOf(name: string) {
  return (await readServiceState(paths, name))!.process
}

test.each([
  ['down', ['worker-2', 'worker-3', 'worker']],
  ['clean', undefined],
] as const)('`%s` ends instances that were added while it waited', async (command, told) => {
  const [worker, ...instances] = await workers(3)
  const scale = commandThatSees([worker!, ...instances])
  await scale.up([worker!])
  const before = commandThatSees([worker!])
  await scale.add(instances)
  const processes = await Promise.all(['worker', 'worker-2', 'worker-3'].map(processOf))

  expect(await before[command]()).toEqual(told)
  expect(await Promise.all(processes.map(isAlive))).toEqual([false, false, false])
  expect(await listStartedServices(paths)).toEqual([])
})
