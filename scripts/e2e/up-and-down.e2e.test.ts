/** The life of a stack, in the order in which a person meets it. The tests build on each other. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { identifyProcess, isPortFree } from '@kafka-pattern/local-stack'
import { eventually } from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, test } from 'vitest'
import { containersOf, contentsOf, volumesOf } from './leftovers.ts'
import { newStack, type TestStack } from './make.ts'
import { whileFollowing } from './while-following.ts'

const runFile = promisify(execFile)
const services = ['kafka', 'user-api', 'family-api', 'coworker-api', 'simple-consumer', 'batch-consumer']

describe('make up, and what follows', () => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await newStack()
    return () => stack.remove()
  })

  const url = (variable: string, path: string) => `http://127.0.0.1:${stack.ports[variable]}${path}`
  const create = (name: string) =>
    fetch(url('USER_API_PORT', '/create'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ level: 42, name }),
    })

  test('make up ends with a demo in which every record arrived', async () => {
    const { code, output, stdout } = await stack.make('up')
    expect(code, output).toBe(0)
    // sent, acknowledged, seen, processed, committed, retried, dead-lettered
    expect(cellsOf(stdout, 'user')).toEqual([11, 11, 11, 10, 11, 0, 1])
    expect(cellsOf(stdout, 'family')).toEqual([11, 11, 11, 11, 11, 1, 0])
    expect(cellsOf(stdout, 'coworker')).toEqual([11, 11, 11, 10, 11, 0, 1])
    expect(cellsOf(stdout, 'all')).toEqual([33, 33, 33, 31, 33, 1, 2])
    expect(stdout).toMatch(/two timeouts .* worked at attempt 3/)
    expect(stdout.match(/read back from .*\.batch-consumer\.dlt\/\d@\d+/g)).toHaveLength(2)
    expect(stdout).toContain('Every record arrived at every consumer that should see it.')
    expect(stdout).toContain(`curl -i http://127.0.0.1:${stack.ports.USER_API_PORT}/create`)
    expect(stdout, 'no escape sequences into a pipe').not.toContain('\u001B')
  })

  test('make ps tells what runs, where and whether it is ready', async () => {
    const { code, stdout, output } = await stack.make('ps')
    expect(code, output).toBe(0)
    for (const service of services)
      expect(stdout).toMatch(new RegExp(`✓ ${service} +ready +\\S*127\\.0\\.0\\.1:\\d+`))
    expect(stdout).toContain(`http://127.0.0.1:${stack.ports.USER_API_PORT}`)
  })

  test('the services answer at the ports of this machine', async () => {
    expect(await (await fetch(url('USER_API_PORT', '/ping'))).text()).toBe('pong')
    expect((await fetch(url('FAMILY_API_PORT', '/docs'))).status).toBe(200)
    expect(await (await fetch(url('BATCH_CONSUMER_PROBE_PORT', '/metrics'))).text()).toContain(
      'records_total',
    )
    expect((await create('You')).status).toBe(201)
  })

  test('make logs SERVICE=… prints what the service wrote', async () => {
    const { code, stdout, output } = await stack.make('logs', 'SERVICE=user-api')
    expect(code, output).toBe(0)
    const messages = stdout
      .trim()
      .split('\n')
      .map((line): { msg?: string } => JSON.parse(line))
    expect(messages.filter(({ msg }) => msg === 'record acknowledged').length).toBeGreaterThanOrEqual(11)
  })

  test('make lag: the groups, and nothing of a database that does not run', async () => {
    await eventually(
      async () => {
        const { code, stdout, output } = await stack.make('lag')
        expect(code, output).toBe(0)
        expect(stdout).toMatch(/batch-consumer +coworker\/0 +\d+ +\d+ +0 +batch-consumer/)
        expect(stdout).toContain('simple-consumer reads 9 partitions and commits nothing')
        expect(stdout).not.toMatch(/Outbox|Pollers|in the database/)
        expect(stdout, 'no escape sequences into a pipe').not.toContain('\u001B')
      },
      { what: 'the batches to be committed' },
    )
  })

  test('make watch follows a record on its whole trip, or step by step, until Ctrl-C', async () => {
    await whileFollowing(stack, ['watch', 'STEPS=1'], async steps => {
      await whileFollowing(stack, ['watch'], async trips => {
        await eventually(() => expect([steps(), trips()].join()).toMatch(/Watching.*Watching/s), {
          what: 'make watch to begin',
        })
        // Sent again until seen: the first may come before the logs are followed.
        await eventually(
          async () => {
            await create('Watched')
            expect(trips()).toMatch(
              /[0-9a-f]{8}… user-api POST \/create → user\/\d@\d+ \+\d+ ms → simple-consumer \+\d+ ms, batch-consumer \+\d+ ms$/m,
            )
            expect(steps()).toMatch(/user-api +user\/\d@\d+ acknowledged in/)
            expect(steps()).toMatch(/simple-consumer +user\/\d@\d+ seen: .*Watched/)
            expect(steps()).toMatch(/batch-consumer +user\/\d@\d+ processed in batch/)
            expect(steps()).toMatch(/batch-consumer +user\/\d@[\d-]+ batch \d+ committed/)
          },
          { what: 'the trip of a record in make watch' },
        )
        expect(trips() + steps(), 'no escape sequences into a pipe').not.toContain('\u001B')
      })
    })
  })

  test('make dlt tells what was given up and why', async () => {
    const { code, stdout, output } = await stack.make('dlt')
    expect(code, output).toBe(0)
    expect(stdout).toContain('user.batch-consumer.dlt  1 dead letter\n')
    expect(stdout).toContain('coworker.batch-consumer.dlt  1 dead letter\n')
    expect(stdout).toMatch(/value is not JSON/)
  })

  test('make doctor finds nothing wrong', async () => {
    const { code, stdout, output } = await stack.make('doctor')
    expect(code, output).toBe(0)
    expect(stdout).toContain(`broker 1 advertises 127.0.0.1:${stack.ports.KAFKA_PORT}, which answers`)
    expect(stdout).toContain('Nothing is wrong.')
  })

  test('a service that ended is shown, and the next make up brings it back', async () => {
    await killService(stack, 'user-api')
    await eventually(
      async () => {
        const { stdout } = await stack.make('ps')
        expect(stdout).toMatch(/✗ user-api +ended/)
      },
      { what: 'make ps to show that user-api ended' },
    )
    const { code, output, stdout } = await stack.make('up')
    expect(code, output).toBe(0)
    expect(cellsOf(stdout, 'all')).toEqual([33, 33, 33, 31, 33, 1, 2])
  })

  test('make down leaves no process, container or port behind', async () => {
    const pids = await localPids(stack)
    const { code, stdout, output } = await stack.make('down')
    expect(code, output).toBe(0)
    for (const service of services) expect(stdout).toContain(service)
    for (const pid of pids) expect(await identifyProcess(pid), `process ${pid}`).toBeNull()
    expect(await containersOf(stack)).toBe('')
    for (const [variable, port] of Object.entries(stack.ports)) {
      expect(await isPortFree(port), `${variable} ${port}`).toBe(true)
    }
    expect((await stack.make('ps')).stdout).toContain('Nothing runs.')
    expect((await stack.make('down')).stdout).toContain('Nothing runs.')
  })

  test('the data outlives make down', async () => {
    const { code, output } = await stack.make('up')
    expect(code, output).toBe(0)
    expect((await stack.make('dlt')).stdout).toContain('user.batch-consumer.dlt  3 dead letters')
  })

  test('make clean leaves nothing', async () => {
    const { code, output } = await stack.make('clean')
    expect(code, output).toBe(0)
    expect(await contentsOf(stack.stateDir)).toEqual([])
    expect(await containersOf(stack)).toBe('')
    expect(await volumesOf(stack)).toBe('')
  })
})

/** The numbers of a row of the summary table. */
function cellsOf(output: string, row: string): number[] {
  const line = output.split('\n').find(text => new RegExp(`^ {2}${row} +\\d`).test(text))
  return line?.trim().split(/\s+/).slice(1).map(Number) ?? []
}

/** As if it had crashed; for a container by the engine, which does not restart what it was told to kill. */
async function killService(stack: TestStack, service: string): Promise<void> {
  if (stack.kind === 'containers') {
    await runFile('docker', ['kill', `${stack.projectName}-${service}-1`])
  } else {
    process.kill(await pidOf(join(stack.stateDir, 'services', `${service}.json`)), 'SIGKILL')
  }
}

async function localPids(stack: TestStack): Promise<number[]> {
  if (stack.kind === 'containers') return []
  const dir = join(stack.stateDir, 'services')
  const pids = await Promise.all((await readdir(dir)).map(file => pidOf(join(dir, file))))
  const kafka: { nodes: { process: { pid: number } }[] } = JSON.parse(
    await readFile(join(stack.stateDir, 'kafka', 'state.json'), 'utf8'),
  )
  pids.push(kafka.nodes[0]!.process.pid)
  expect(pids).toHaveLength(services.length)
  return pids
}

async function pidOf(stateFile: string): Promise<number> {
  const state: { process: { pid: number } } = JSON.parse(await readFile(stateFile, 'utf8'))
  return state.process.pid
}
