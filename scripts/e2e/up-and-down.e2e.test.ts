/** The life of a stack, in the order in which a person meets it. The tests build on each other. */
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readConsumerGroups, readPartitionEnds } from '@kafka-pattern/kafka-config'
import { identifyProcess, isPortFree } from '@kafka-pattern/local-stack'
import { eventually } from '@kafka-pattern/test-kit'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { quietKafka } from '../kafka-client.ts'
import { containersOf, contentsOf, volumesOf } from './leftovers.ts'
import { newStack, type TestStack } from './make.ts'
import { contentDoctor, startsOf } from './running.ts'
import { holdingsOf } from './scale-table.ts'
import { signalService, whileFrozen } from './signal-service.ts'
import { whileFollowing } from './while-following.ts'

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
    await eventually(
      async () => {
        const { code, stdout, output } = await stack.make('ps')
        expect(code, output).toBe(0)
        for (const service of services)
          expect(stdout).toMatch(new RegExp(`✓ ${service} +ready +\\S*127\\.0\\.0\\.1:\\d+`))
        expect(stdout).toContain(`http://127.0.0.1:${stack.ports.USER_API_PORT}`)
      },
      { what: 'all of them to be ready' },
    )
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
        // Keys are random: a partition may have nothing yet, and then has no lag either.
        const rows = stdout.match(/(coworker|family|user)\/[012] +.+ +batch-consumer$/gm) ?? []
        expect(rows).toHaveLength(9)
        expect(rows.filter(row => !/\/[012] +(\d+ +\d+ +0|- +0 +-) /.test(row))).toEqual([])
        expect(stdout).toContain('simple-consumer reads 9 partitions and commits nothing')
        expect(stdout).not.toMatch(/Outbox|Pollers|in the database/)
        expect(stdout, 'no escape sequences into a pipe').not.toContain('\u001B')
      },
      { what: 'the batches to be committed' },
    )
  })

  test('make lag on a terminal: drawn anew until Ctrl-C, which leaves the last look and the terminal as it was', async () => {
    const child = stack.startOnTerminal('lag')
    onTestFinished(() => void child.kill())
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
    const closed = once(child, 'close')
    await eventually(() => expect(new Set(shown.match(/How far behind at \S+/g)).size).toBeGreaterThan(2), {
      what: 'the table to be drawn three times',
    })
    child.stdin.write('\u0003')
    await closed
    const [before, live = '', after = '', ...more] = shown
      .replaceAll('\u001B', 'ESC')
      .split(/ESC\[\?1049[hl]/)
    expect([before, more]).toEqual(['', []])
    expect(live).toMatch(/batch-consumer +coworker\/0 +(\d+ +\d+ +\d+|- +0 +-) +batch-consumer/)
    // The cursor is away meanwhile, and long lines are cut.
    expect(live).toMatch(/^ESC\[\?25lESC\[\?7l[^]*ESC\[\?7hESC\[\?25h$/)
    expect(after.replaceAll(/ESC\[\d+m/g, '')).toMatch(
      /^How far behind at \S+\r\n\r\nConsumer groups\r\n[^]*simple-consumer reads 9 partitions and commits nothing[^\n]*\n$/,
    )
    // 128 and the number of SIGINT.
    expect(child.exitCode).toBe(130)
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

        await whileFrozen(stack, 'kafka', () =>
          eventually(
            () => {
              expect(trips()).toContain('✗ Kafka does not answer')
              expect(steps()).toContain('✗ Kafka does not answer')
            },
            { what: 'make watch to tell that Kafka is away' },
          ),
        )
        await eventually(() => expect(trips()).toContain('✓ Kafka answers again'), {
          what: 'make watch to tell that Kafka is back',
        })
      })
    })
  })

  test('make watch says so when the services log too little', async () => {
    const { code, stderr } = await stack.make('watch', 'LOG_LEVEL=warn')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^✗ make watch follows .* at info, and LOG_LEVEL is warn\.$/m)
  })

  test('make sql says that no database runs', async () => {
    const { code, output } = await stack.make('sql')
    expect(code).not.toBe(0)
    expect(output).toContain('✗ The database does not run: `make cdc-up` or `make outbox-up` starts it.')
  })

  test('make dlt tells what was given up and why', async () => {
    const { code, stdout, output } = await stack.make('dlt')
    expect(code, output).toBe(0)
    expect(stdout).toContain('user.batch-consumer.dlt  1 dead letter\n')
    expect(stdout).toContain('coworker.batch-consumer.dlt  1 dead letter\n')
    expect(stdout).toMatch(/value is not JSON/)
    for (const api of ['user', 'coworker']) {
      expect(stdout).toContain(`  make dlt REPLAY=${api}.batch-consumer.dlt\n`)
    }
  })

  test('make dlt REPLAY=… CATEGORY=… sends back only what a retry may cure', async () => {
    const topic = 'REPLAY=coworker.batch-consumer.dlt'
    const none = await stack.make('dlt', topic, 'CATEGORY=retries exhausted')
    expect(none.code, none.output).toBe(0)
    expect(none.stdout).toContain('0 of 1 records sent back')
    expect(none.stdout).toContain('1 of another category stay where they are.')
    const misspelt = await stack.make('dlt', topic, 'CATEGORY=retry')
    expect(misspelt.code).not.toBe(0)
    expect(misspelt.stderr).toMatch(
      /^✗ There is no category "retry"; there is 'not retryable' and 'retries exhausted'\.$/m,
    )
  })

  test('make doctor finds nothing wrong', async () => {
    const stdout = await contentDoctor(stack)
    expect(stdout).toContain(`broker 1 advertises 127.0.0.1:${stack.ports.KAFKA_PORT}, which answers`)
    expect(stdout).toContain('Nothing is wrong.')
    const runs = /`make up` runs (containers|local processes)/.exec(stdout)?.[1]
    expect(runs).toBe(stack.kind === 'containers' ? 'containers' : 'local processes')
  })

  test('make scale: three batch-consumers share the partitions under load, then one has all of them again', async () => {
    const loading = new AbortController()
    onTestFinished(() => loading.abort())
    const load = (async () => {
      while (!loading.signal.aborted) expect((await create('Load')).status).toBe(201)
    })()
    // What it says is told where it is awaited.
    load.catch(() => {})
    const out = await stack.make('scale', 'SERVICE=batch-consumer', 'N=3')
    expect(out.code, out.output).toBe(0)
    expect(out.stdout).toContain(
      'batch-consumer: 1 → 3 instances, which share the 9 partitions of user, family, coworker',
    )
    const shares = holdingsOf(out.stdout)
    expect(Object.keys(shares)).toEqual(['batch-consumer', 'batch-consumer-2', 'batch-consumer-3'])
    expect(Object.values(shares).map(share => partitionsIn(share).length)).toEqual([3, 3, 3])
    expect(new Set(Object.values(shares).flatMap(partitionsIn)).size).toBe(9)
    await eventually(
      async () => {
        const { stdout } = await stack.make('ps')
        expect(stdout).toMatch(/✓ batch-consumer-3 +ready +127\.0\.0\.1:\d+/)
      },
      { what: 'the third to be ready' },
    )
    // Whichever partitions of the topic user it has, keys come to all of them.
    const second = Object.keys(shares).find(
      name => name !== 'batch-consumer' && shares[name]!.includes('user/'),
    )
    await eventually(
      async () => {
        const { stdout } = await stack.make('logs', `SERVICE=${second}`)
        expect(stdout).toMatch(/"msg":"record processed"/)
      },
      { what: `${second} to work` },
    )

    const back = await stack.make('scale', 'SERVICE=batch-consumer', 'N=1')
    loading.abort()
    await load
    expect(back.code, back.output).toBe(0)
    expect(back.stdout).toContain('batch-consumer: 3 → 1 instance\n')
    expect(holdingsOf(back.stdout)).toEqual({
      'batch-consumer': expect.stringMatching(/user\/0,1,2.*/),
    })
    await eventually(async () => expect(await lagOf(stack, 'batch-consumer')).toBe(0), {
      what: 'every record to be processed and committed',
    })
  })

  const allPartitions = expect.stringMatching(/^(?=.*user\/0,1,2)(?=.*family\/0,1,2)(?=.*coworker\/0,1,2)/)

  test('make scale: one of three simple-consumers remains, and how the others ended is told', async () => {
    const out = await stack.make('scale', 'SERVICE=simple-consumer', 'N=3')
    expect(out.code, out.output).toBe(0)
    await signalService(stack, 'simple-consumer-3', 'kill')
    const back = await stack.make('scale', 'SERVICE=simple-consumer', 'N=1')
    expect(back.code, back.output).toBe(0)
    expect(back.stdout).toContain('simple-consumer: 2 → 1 instance\n')
    expect(back.stdout).toMatch(/simple-consumer-2 +told to leave, and has left$/m)
    expect(back.stdout).toMatch(/simple-consumer-3 +had ended before$/m)
    expect(holdingsOf(back.stdout)).toEqual({ 'simple-consumer': allPartitions })
  })

  test('make scale: each of two simple-consumers sees every record', async () => {
    const { code, stdout, output } = await stack.make('scale', 'SERVICE=simple-consumer', 'N=2')
    expect(code, output).toBe(0)
    expect(holdingsOf(stdout)).toEqual({
      'simple-consumer': allPartitions,
      'simple-consumer-2': allPartitions,
    })
    await create('Broadcast')
    for (const instance of ['simple-consumer', 'simple-consumer-2']) {
      await eventually(
        async () =>
          expect((await stack.make('logs', `SERVICE=${instance}`)).stdout).toMatch(/"name":"Broadcast"/),
        { what: `the record at ${instance}` },
      )
    }
  })

  test('make cluster-up over one broker is refused, and nothing is touched', async () => {
    const before = await startsOf(stack)
    expect(Object.keys(before)).toEqual(expect.arrayContaining(services))
    const { code, stderr } = await stack.make('cluster-up')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^✗ The stack runs with one broker.*`make down` first\.$/m)
    expect(await startsOf(stack)).toEqual(before)
  })

  test.each([['up'], ['scale', 'SERVICE=batch-consumer', 'N=2']])(
    'make %s with a setting that a service refuses: nothing is touched',
    async (...target) => {
      const before = await startsOf(stack)
      const { code, stderr } = await stack.make(...target, 'BATCH_SIZE=0')
      expect(code).not.toBe(0)
      expect(stderr).toMatch(
        /^ +BATCH_SIZE of batch-consumer: must be a whole number from 1 to 100000 \(was "0"\)$/m,
      )
      expect(await startsOf(stack)).toEqual(before)
    },
  )

  test('a service that ended is shown, and the next make up brings it back', async () => {
    await signalService(stack, 'user-api', 'kill')
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

  test('Ctrl-C in make up: what has started runs on, and it says so', async () => {
    // Compose gets the Ctrl-C, too, perhaps while it replaces a container.
    const pids = async () => (stack.kind === 'local' ? startsOf(stack) : null)
    const before = await pids()
    let shown = ''
    let exitCode: number | null = null
    const interrupt = async () => {
      const child = stack.startOnTerminal('up')
      onTestFinished(() => void child.kill())
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text
        // At once: the demo comes next, and what it sends would be counted by those after this.
        if (text.includes('Starting')) child.stdin.write('\u0003')
      })
      await once(child, 'close')
      exitCode = child.exitCode
    }
    // As local processes all of them are ready within a moment, and nothing must be quicker than the Ctrl-C.
    if (stack.kind === 'local') await whileFrozen(stack, 'user-api', interrupt)
    else await interrupt()
    expect(shown).toMatch(/`make ps` shows what runs on, `make down` stops it\./)
    expect(shown).not.toContain('Up after')
    expect(exitCode).toBe(130)
    expect(await pids()).toEqual(before)
  })

  test('make down leaves no process, container or port behind', async () => {
    const pids = await localPids(stack)
    const { code, stdout, output } = await stack.make('down')
    expect(code, output).toBe(0)
    for (const service of [...services, 'simple-consumer-2']) expect(stdout).toContain(service)
    for (const pid of pids) expect(await identifyProcess(pid), `process ${pid}`).toBeNull()
    expect(await containersOf(stack)).toBe('')
    for (const [variable, port] of Object.entries(stack.ports)) {
      expect(await isPortFree(port), `${variable} ${port}`).toBe(true)
    }
    expect((await stack.make('ps')).stdout).toContain('Nothing runs.')
    expect((await stack.make('down')).stdout).toContain('Nothing runs.')
  })

  test('make lambda-invoke starts Kafka alone and runs the function: answers, records, size and cold start', async () => {
    const { code, stdout, output } = await stack.make('lambda-invoke')
    expect(code, output).toBe(0)
    expect(stdout).toMatch(/✓ bundle +[\d,]+ KiB, \d+ KiB gzipped/)
    expect(stdout.match(/ 201 after [\d.]+ ms/g)).toHaveLength(2)
    expect(stdout).toMatch(/ 400 after [\d.]+ ms/)
    expect(stdout.match(/consumed user\/\d@\d+ key [\da-f-]{36}/g)).toHaveLength(2)
    expect(stdout).toMatch(/Cold start, 5 processes: init \d+ ms/)
    const { stdout: running } = await stack.make('ps')
    expect(running).toContain('✓ kafka')
    expect(running).not.toContain('user-api')
  })

  test('a broker that hangs and one that ended are told apart, and make doctor says so', async () => {
    await whileFrozen(stack, 'kafka', async () => {
      expect((await stack.make('ps')).stdout).toMatch(/✗ kafka +not ready/)
      const hanging = await stack.make('doctor')
      expect(hanging.code).not.toBe(0)
      expect(hanging.stdout).toMatch(/✗ kafka runs, but gives no answer/)
      expect(hanging.stdout).toContain('1 thing(s) to change')
    })

    await signalService(stack, 'kafka', 'kill')
    await eventually(
      async () => {
        expect((await stack.make('ps')).stdout).toMatch(/✗ kafka +ended/)
      },
      { what: 'make ps to show that kafka ended' },
    )
    const doctor = await stack.make('doctor')
    expect(doctor.code).not.toBe(0)
    expect(doctor.stdout).toMatch(/✗ kafka has ended by itself/)
  })

  test('the data outlives make down, and a broker that was killed', async () => {
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

/** "user/0,2 family/1" has three. */
function partitionsIn(holding: string): string[] {
  return holding.split(' ').flatMap(place => {
    const [topic, partitions = ''] = place.split('/')
    return partitions.split(',').map(partition => `${topic}/${partition}`)
  })
}

/** Records that the group has not committed yet. */
async function lagOf(stack: TestStack, groupId: string): Promise<number> {
  const { kafka } = quietKafka(`127.0.0.1:${stack.ports.KAFKA_PORT}`, 'e2e')
  const group = (await readConsumerGroups(kafka)).find(each => each.groupId === groupId)
  const ends = await readPartitionEnds(kafka, ['user', 'family', 'coworker'])
  const lags = ends.map(({ topic, partition, end }) => {
    const position = group?.committed.find(each => each.topic === topic && each.partition === partition)
    return Number(end) - Number(position?.offset ?? 0)
  })
  return lags.reduce((sum, lag) => sum + lag, 0)
}

async function localPids(stack: TestStack): Promise<number[]> {
  if (stack.kind === 'containers') return []
  const dir = join(stack.stateDir, 'services')
  const pids = await Promise.all((await readdir(dir)).map(file => pidOf(join(dir, file))))
  const kafka: { nodes: { process: { pid: number } }[] } = JSON.parse(
    await readFile(join(stack.stateDir, 'kafka', 'state.json'), 'utf8'),
  )
  pids.push(kafka.nodes[0]!.process.pid)
  // Those of docker-compose.yml, and simple-consumer-2.
  expect(pids).toHaveLength(services.length + 1)
  return pids
}

async function pidOf(stateFile: string): Promise<number> {
  const state: { process: { pid: number } } = JSON.parse(await readFile(stateFile, 'utf8'))
  return state.process.pid
}
