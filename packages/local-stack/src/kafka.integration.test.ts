import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { findKafka, formQuorum, startKafka } from './kafka.ts'
import type { StartedKafka } from './kafka.ts'
import { fetchKafkaJars } from './kafka-jvm.ts'
import { describeCluster } from './kafka-readiness.ts'
import { findFreePort, isPortFree } from './ports.ts'
import { identifyProcess } from './process-identity.ts'
import { exists, userCacheDir } from './user-cache.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'local-stack-test-'))
  return async () => {
    const kafka = await findKafka(dataDir)
    await Promise.all(kafka?.nodes.map(node => node.kill()) ?? [])
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('Ctrl-C during the rehearsal that comes before the first start leaves no process, and the next start works', async () => {
  await fetchKafkaJars(() => {})
  const cache = join(dataDir, 'cache', 'kafka-pattern')
  await mkdir(cache, { recursive: true })
  // Neither the archive, which this test is about, nor what a test beside it is building.
  const notShared = /-classes-|\.lock|\.unfinished-/
  for (const name of await readdir(userCacheDir())) {
    if (!notShared.test(name)) await symlink(join(userCacheDir(), name), join(cache, name))
  }
  const start = () => {
    const script = `
    import { startKafka } from ${JSON.stringify(join(import.meta.dirname, 'kafka.ts'))}
    const kafka = await startKafka({ dataDir: ${JSON.stringify(join(dataDir, 'data'))}, progress: console.log })
    await kafka.stop()`
    return spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, XDG_CACHE_HOME: join(dataDir, 'cache') },
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }
  const running = async () => {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'args='])
    return stdout.split('\n').filter(line => line.includes(cache))
  }

  const interrupted = start()
  await expect.poll(running, { timeout: 60_000 }).toEqual([expect.stringContaining('ArchiveClassesAtExit')])
  process.kill(-interrupted.pid!, 'SIGINT')
  await once(interrupted, 'exit')
  await expect.poll(running, { timeout: 60_000 }).toEqual([])

  expect(await once(start(), 'exit')).toEqual([0, null])
  expect((await readdir(cache)).filter(name => name.includes('unfinished') || name.includes('lock'))).toEqual(
    [],
  )
  expect(await running()).toEqual([])
}, 300_000)

test(
  'brokers outlive their starter, are found again by their folder, and leave nothing after stop',
  { timeout: 300_000 },
  async () => {
    // A starter with a process group of its own, which is then killed as a whole, as Ctrl-C in its terminal would.
    const script = `
    import { startKafka } from ${JSON.stringify(join(import.meta.dirname, 'kafka.ts'))}
    await startKafka({ dataDir: ${JSON.stringify(dataDir)} })
    console.log('started')
    setInterval(() => {}, 1000)`
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(starter.stdout, 'data')
    process.kill(-starter.pid!, 'SIGINT')
    process.kill(-starter.pid!, 'SIGKILL')
    await once(starter, 'exit')

    const kafka = await findKafka(dataDir)
    const [node] = kafka!.nodes
    await expect.poll(() => brokersKnownTo(kafka), { timeout: 60_000 }).toEqual([1])
    await expect(startKafka({ dataDir })).rejects.toThrow(/already runs on/)

    const { pid, port } = node!
    await kafka!.stop()
    expect(await identifyProcess(pid!)).toBeNull()
    expect(await isPortFree(port)).toBe(true)
    expect(await findKafka(dataDir)).toBeNull()
    // The data stays: the next start is the same cluster, on the same port.
    const ids = await readFile(join(dataDir, 'node-1', 'data', 'meta.properties'), 'utf8')
    const again = await startKafka({ dataDir })
    expect(again.nodes[0]?.port).toBe(port)
    expect(await readFile(join(dataDir, 'node-1', 'data', 'meta.properties'), 'utf8')).toBe(ids)

    await again.nodes[0]!.kill()
    expect(await isPortFree(port)).toBe(true)
    await again.nodes[0]!.start()
    expect(await again.nodes[0]!.isRunning()).toBe(true)
    await again.stop()
  },
)

test('a process that has got the pid of a broker is neither taken for it nor signalled', async () => {
  const stranger = spawn('sleep', ['600'])
  const second = spawn('sleep', ['600'])
  try {
    await Promise.all([once(stranger, 'spawn'), once(second, 'spawn')])
    const secondEnded = once(second, 'exit')
    const reusedPid = { pid: stranger.pid, startTime: 'when the broker started' }
    // The second node is what the state says it is: it is found running, and stopped.
    const running = await identifyProcess(second.pid!)
    await writeFile(
      join(dataDir, 'state.json'),
      JSON.stringify({
        kind: 'kafka',
        clusterId: 'c',
        temporary: false,
        jvm: { jarsDir: '', command: 'java', options: [] },
        nodes: [
          { id: 1, port: 1, controllerPort: 2, process: reusedPid },
          { id: 2, port: 3, controllerPort: 4, process: running },
        ],
      }),
    )
    const found = await findKafka(dataDir)
    expect(await found!.nodes[1]!.isRunning()).toBe(true)
    expect(await found!.nodes[0]!.isRunning()).toBe(false)
    await expect(found!.nodes[0]!.freeze()).rejects.toThrow('Kafka broker 1 does not run')
    await found!.stop()
    await Promise.all(found!.nodes.map(node => node.kill()))
    expect(await secondEnded).toEqual([null, 'SIGTERM'])
    expect(stranger.signalCode).toBeNull()
    expect(await identifyProcess(stranger.pid!)).not.toBeNull()
  } finally {
    stranger.kill('SIGKILL')
    second.kill('SIGKILL')
  }
})

test(
  'brokers that are started one by one, each with a folder of its own, form a cluster',
  { timeout: 300_000 },
  async () => {
    const quorum = await formQuorum(3)
    const dirs = [1, 2, 3].map(nodeId => join(dataDir, `broker-${nodeId}`))
    try {
      await Promise.all(
        dirs.map((dir, i) => startKafka({ dataDir: dir, memberOf: { ...quorum, nodeId: i + 1 } })),
      )
      const first = await findKafka(dirs[0]!)
      await expect.poll(() => brokersKnownTo(first), { timeout: 60_000 }).toEqual([1, 2, 3])

      // One of them comes back to those that run.
      await (await findKafka(dirs[1]!))!.nodes[0]!.kill()
      const again = await startKafka({ dataDir: dirs[1]!, memberOf: { ...quorum, nodeId: 2 } })
      await expect.poll(() => brokersKnownTo(again), { timeout: 60_000 }).toEqual([1, 2, 3])
    } finally {
      const kafkas = await Promise.all(dirs.map(findKafka))
      await Promise.all(kafkas.flatMap(kafka => kafka?.nodes ?? []).map(node => node.kill()))
    }
  },
)

describe('what keeps a broker from starting is said:', () => {
  test('a port in use, with what holds it', async () => {
    const port = await findFreePort()
    const holder = createServer().listen(port, '127.0.0.1')
    await once(holder, 'listening')
    await expect(startKafka({ dataDir, ports: [port] })).rejects.toMatchObject({
      name: 'PortInUseError',
      port,
      holder: expect.stringContaining(`pid ${process.pid}`),
      message: expect.stringContaining(`Port ${port} on 127.0.0.1 is in use by`),
    })
    expect(await exists(join(dataDir, 'state.json'))).toBe(false)
    holder.close()
  })

  test('a broker that dies, with the end of its log and nothing left running', async () => {
    const failed = startKafka({ dataDir, config: { 'log.retention.ms': 'a week' } })
    await expect(failed).rejects.toThrow(/Kafka broker 1 ended while starting.*log\.retention\.ms/s)
    expect(await findKafka(dataDir)).toBeNull()
  })

  test('as many ports as brokers', async () => {
    await expect(startKafka({ brokers: 3, ports: [29_092] })).rejects.toThrow(
      /3 broker\(s\) need 3 port\(s\)/,
    )
  })
})

async function brokersKnownTo(kafka: StartedKafka | null): Promise<number[] | undefined> {
  const view = await describeCluster({ host: '127.0.0.1', port: kafka!.nodes[0]!.port })
  return view?.brokerIds.toSorted((a, b) => a - b)
}
