/** Commands beside each other: what one has seen before it had its turn, another may have changed. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePorts, isAlive, signalProcess } from '@kafka-pattern/local-stack'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
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
    `import { appendFileSync } from 'node:fs'
    import { createServer } from 'node:http'
    const { DEAF, NAME, PROBE_PORT } = process.env
    if (DEAF) process.on('SIGTERM', () => {})
    appendFileSync(${JSON.stringify(startsFile())}, NAME + '\\n')
    createServer((_request, response) => response.end()).listen(Number(PROBE_PORT), '127.0.0.1')`,
  )
  file = await readComposeFile(composeFilePath, {})
  return async () => {
    await commandThatSees(await workers(3)).clean()
    await rm(repositoryDir, { recursive: true, force: true })
  }
})

function startsFile(): string {
  return join(paths.repositoryDir, 'starts')
}

async function startsOf(name: string): Promise<number> {
  const names = (await readFile(startsFile(), 'utf8')).split('\n')
  return names.filter(each => each === name).length
}

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
      environment: { NAME: name, PROBE_PORT: String(port) },
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

test('`down` tells of a service that had to be killed', async () => {
  const [described] = await workers(1)
  const environment = { ...described!.environment, DEAF: '1' }
  const worker = { ...described!, environment, stopGracePeriodMs: 200 }
  const runtime = commandThatSees([worker])
  await runtime.up([worker])

  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  onTestFinished(() => write.mockRestore())
  expect(await runtime.down()).toEqual(['worker'])
  expect(write.mock.calls.join('')).toMatch(/^ +✗ worker +did not end by itself in its time: killed$/m)
})

test('of two that add the same instance one starts it, and the other finds it', async () => {
  const described = [await workers(2), await workers(2)]
  const [worker] = described[0]!
  await commandThatSees([worker!]).up([worker!])
  await Promise.all(described.map(services => commandThatSees(services).add([services[1]!])))
  expect(await startsOf('worker-2')).toBe(1)
  expect(await isAlive(await processOf('worker-2'))).toBe(true)
})

test('what was started is told without asking it, also what hangs or has ended', async () => {
  const services = await workers(3)
  const runtime = commandThatSees(services)
  await runtime.up([services[0]!])
  await runtime.add([services[1]!])
  await runtime.kill('worker-2')
  await signalProcess(await processOf('worker'), 'SIGSTOP')

  const askedAtMs = performance.now()
  expect(await runtime.started()).toEqual(['worker', 'worker-2'])
  const toldAtMs = performance.now()
  expect(await runtime.status()).toMatchObject([
    { service: 'worker', state: 'not ready' },
    { service: 'worker-2', state: 'ended' },
  ])
  // Which waits for an answer of the one that hangs.
  expect(toldAtMs - askedAtMs).toBeLessThan((performance.now() - toldAtMs) / 2)
})

test('an instance that ended is started anew', async () => {
  const services = await workers(2)
  const runtime = commandThatSees(services)
  await runtime.up([services[0]!])
  await runtime.add([services[1]!])
  await runtime.kill('worker-2')
  await runtime.add([services[1]!])
  expect(await startsOf('worker-2')).toBe(2)
})

test('nothing is added to a service that another command has stopped', async () => {
  const services = await workers(2)
  const scale = commandThatSees(services)
  await scale.up([services[0]!])
  await commandThatSees(services).down()
  await expect(scale.add([services[1]!])).rejects.toThrow('worker-2 is not started: worker does not run')
  expect(await listStartedServices(paths)).toEqual([])
})
