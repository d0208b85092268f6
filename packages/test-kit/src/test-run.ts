/**
 * What a test run starts must not outlive it, even when vitest is killed hard. Everything that runs outside of vitest's own
 * processes is therefore written down in the run's folder: services by identity, brokers by their data folders. Three
 * parties end what is written there: the run's teardown, a reaper process when vitest disappears without one,
 * and the next run when even the reaper was killed.
 */
import {
  errorCode,
  findConnect,
  findKafka,
  findMariaDb,
  identifyProcess,
  isAlive,
  parseProcessIdentity,
  signalProcess,
  type ProcessIdentity,
} from '@kafka-pattern/local-stack'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

const kafkaPrefix = 'kafka-'
const mariaDbPrefix = 'mariadb-'
const connectPrefix = 'connect-'
const processesDir = 'processes'
const ownerFile = 'owner.json'

/** Makes the folder of a new run, watched by a reaper; ends first what abandoned runs left behind. */
export async function beginRun(): Promise<string> {
  const runsDir = join(tmpdir(), `kafka-pattern-tests-${userInfo().username}`)
  await mkdir(runsDir, { recursive: true })
  await endAbandonedRuns(runsDir)
  const runDir = await mkdtemp(join(runsDir, 'run-'))
  await mkdir(join(runDir, processesDir))
  await writeFile(join(runDir, ownerFile), JSON.stringify(await identifyProcess(process.pid)))
  startReaper(runDir)
  return runDir
}

/** A folder for a broker's data; brokers that run on it end with the run. */
export function newKafkaDir(runDir: string): Promise<string> {
  return mkdtemp(join(runDir, kafkaPrefix))
}

/** A folder for a database's data; the server that runs on it ends with the run. */
export function newMariaDbDir(runDir: string): Promise<string> {
  return mkdtemp(join(runDir, mariaDbPrefix))
}

/** A folder for a Kafka Connect worker; one that runs on it ends with the run. */
export function newConnectDir(runDir: string): Promise<string> {
  return mkdtemp(join(runDir, connectPrefix))
}

/** Writes down a process that is to end with the run at the latest. */
export async function registerProcess(runDir: string, identity: ProcessIdentity): Promise<void> {
  await writeFile(join(runDir, processesDir, `${identity.pid}.json`), JSON.stringify(identity))
}

/** Kills what still runs of this run and removes its folder. Data is not worth an orderly stop here. */
export async function endRun(runDir: string): Promise<void> {
  for (const name of await readdir(runDir)) {
    if (name.startsWith(kafkaPrefix)) {
      const kafka = await findKafka(join(runDir, name))
      await Promise.all(kafka?.nodes.map(node => node.kill()) ?? [])
    }
    if (name.startsWith(mariaDbPrefix)) await (await findMariaDb(join(runDir, name)))?.server.kill()
    if (name.startsWith(connectPrefix)) await (await findConnect(join(runDir, name)))?.server.kill()
  }
  for (const name of await readdir(join(runDir, processesDir))) {
    const identity = await readIdentity(join(runDir, processesDir, name))
    if (identity !== null) await signalProcess(identity, 'SIGKILL')
  }
  await rm(runDir, { recursive: true, force: true, maxRetries: 5 })
}

async function endAbandonedRuns(runsDir: string): Promise<void> {
  for (const name of await readdir(runsDir)) {
    const runDir = join(runsDir, name)
    const owner = await readIdentity(join(runDir, ownerFile))
    if (owner !== null && !(await isAlive(owner))) await endRun(runDir)
  }
}

function startReaper(runDir: string): void {
  const reaper = spawn(process.execPath, [join(import.meta.dirname, 'reaper.ts'), runDir], {
    // A session of its own: Ctrl-C in the terminal must not end the reaper before its work.
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  reaper.unref()
  // The pipe is never written to. It closes when this process ends, however it ends: that is the signal.
  if (reaper.stdin instanceof Socket) reaper.stdin.unref()
}

/** Null when the file is not there or not written completely. */
async function readIdentity(path: string): Promise<ProcessIdentity | null> {
  try {
    return parseProcessIdentity(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return null
    throw error
  }
}
