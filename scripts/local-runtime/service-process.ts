/**
 * One service of docker-compose.yml as a plain process: started so that it outlives this command, known afterwards by a state
 * file with its pid and start time, ready when its /readyz says so.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  errorCode,
  identifyProcess,
  isAlive,
  signalProcess,
  waitForExit,
  type ProcessIdentity,
} from '@kafka-pattern/local-stack'
import type { ComposeService } from '../compose-file/compose-file.ts'
import type { ServiceEnd } from '../runtime/runtime.ts'
import { describeNotReady, whyNotReady } from '../readiness.ts'
import { UserError } from '../user-error.ts'
import { fingerprintSources } from './source-fingerprint.ts'

// Whoever joins a group waits for a member that was killed until its session has timed out: 30 s.
const readyTimeoutMs = 120_000
// What is killed is gone at once, unless the machine is busy.
const killedTimeoutMs = 60_000
const logTailLines = 12
// What a process needs from its surroundings, and what makes its start faster; all else is said by docker-compose.yml, as for a container.
const inheritedVariables = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_COMPILE_CACHE']

export type ServicePaths = {
  repositoryDir: string
  stateDir: string
}

export type ServiceState = {
  process: ProcessIdentity
  /** of the environment and the source code that it runs with */
  fingerprint: string
  probePort: number
}

export function logFile(paths: ServicePaths, service: string): string {
  return join(paths.stateDir, 'logs', `${service}.log`)
}

export async function readServiceState(paths: ServicePaths, service: string): Promise<ServiceState | null> {
  try {
    const state: ServiceState = JSON.parse(await readFile(stateFile(paths, service), 'utf8'))
    return state
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

/** The names of what was started and not stopped, whether it runs or not. */
export async function listStartedServices(paths: ServicePaths): Promise<string[]> {
  try {
    const files = await readdir(join(paths.stateDir, 'services'))
    return files.filter(file => file.endsWith('.json')).map(file => file.slice(0, -'.json'.length))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

/** Whether the process that runs, if any, runs today's code with these settings. */
export async function isUpToDate(paths: ServicePaths, service: ComposeService): Promise<boolean> {
  const state = await readServiceState(paths, service.name)
  return (
    state !== null &&
    (await isAlive(state.process)) &&
    state.fingerprint === (await fingerprint(paths, service))
  )
}

/**
 * Starts the service and waits until it is ready.
 * @throws {UserError} with the end of its log when it ends or is not ready in time
 */
export async function startService(paths: ServicePaths, service: ComposeService): Promise<void> {
  const probePort = Number(service.environment.PROBE_PORT)
  const path = logFile(paths, service.name)
  await mkdir(join(paths.stateDir, 'logs'), { recursive: true })
  await mkdir(join(paths.stateDir, 'services'), { recursive: true })
  // Before the start: it takes a while, in which Ctrl-C would leave a process that `make down` does not know, and in which the code
  // may change that the process has read already.
  const fingerprintAtStart = await fingerprint(paths, service)
  const log = await open(path, 'a')
  const logStart = (await log.stat()).size
  const folder = join(paths.repositoryDir, 'services', service.program!)
  // Its own folder as working directory: a `.env` of the repository is for docker-compose.yml, and reaches it only through that.
  const child = spawn(process.execPath, [join(folder, 'src', 'main.ts')], {
    cwd: folder,
    env: environmentOf(service),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  const ended = exitOf(child)
  child.unref()
  const identity = child.pid === undefined ? null : await identifyProcess(child.pid)
  if (identity !== null) {
    await writeServiceState(paths, service.name, {
      process: identity,
      fingerprint: fingerprintAtStart,
      probePort,
    })
  }
  await log.close()
  const giveUp = new AbortController()
  const outcome = await Promise.race([ended, waitUntilReady(probePort, giveUp.signal)])
  giveUp.abort()
  if (outcome === 'ready') return
  if (outcome === 'not ready') throw await notReadyError(service, path)
  throw new UserError(
    `${service.name} ended while starting (${outcome}). The end of its log, ${path}:\n${await endOf(path, logStart)}`,
  )
}

/**
 * Waits for a service that was started earlier.
 * @throws {UserError} with the end of its log when it is not ready in time
 */
export async function requireReady(paths: ServicePaths, service: ComposeService): Promise<void> {
  const probePort = Number(service.environment.PROBE_PORT)
  if ((await waitUntilReady(probePort, new AbortController().signal)) === 'ready') return
  throw await notReadyError(service, logFile(paths, service.name))
}

/** SIGTERM, and SIGKILL when it has not ended within its stop_grace_period. Null when it was not started. */
export async function stopService(
  paths: ServicePaths,
  service: string,
  gracePeriodMs: number,
): Promise<ServiceEnd | null> {
  const state = await readServiceState(paths, service)
  if (state === null) return null
  const end = await endProcess(state.process, gracePeriodMs)
  await rm(stateFile(paths, service), { force: true })
  return end
}

async function endProcess(process: ProcessIdentity, gracePeriodMs: number): Promise<ServiceEnd> {
  if (!(await signalProcess(process, 'SIGTERM'))) return 'ended before'
  // A frozen process gets its SIGTERM only once it is thawed.
  await signalProcess(process, 'SIGCONT')
  if (await waitForExit(process, gracePeriodMs)) return 'terminated'
  await signalProcess(process, 'SIGKILL')
  await waitForExit(process, killedTimeoutMs)
  return 'killed'
}

/** SIGKILL, as if it had crashed: it is shown as ended. Resolves when it is gone. */
export async function killService(paths: ServicePaths, service: string): Promise<void> {
  const state = await readServiceState(paths, service)
  if (state === null || !(await signalProcess(state.process, 'SIGKILL'))) return
  await waitForExit(state.process, killedTimeoutMs)
}

/** Whether its /readyz answers 200 now: the same check as the image's HEALTHCHECK. */
export async function isReady(probePort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${probePort}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    })
    await response.arrayBuffer()
    return response.ok
  } catch (error) {
    // Nobody listens (yet), or the answer took too long: both are "not ready", which the caller decides about.
    if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) return false
    throw error
  }
}

async function waitUntilReady(probePort: number, signal: AbortSignal): Promise<'ready' | 'not ready'> {
  const deadline = performance.now() + readyTimeoutMs
  while (!signal.aborted && performance.now() < deadline) {
    if (await isReady(probePort)) return 'ready'
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  return 'not ready'
}

async function notReadyError(service: ComposeService, path: string): Promise<UserError> {
  const limit = `${readyTimeoutMs / 1000} s`
  const why = await whyNotReady(service)
  const reason = why === null ? '' : `: it ${describeNotReady(why)}`
  return new UserError(
    `${service.name} was not ready after ${limit}${reason}. The end of its log, ${path}:\n${await endOf(path, 0)}`,
  )
}

async function endOf(path: string, from: number): Promise<string> {
  const text = (await readFile(path)).subarray(from).toString('utf8')
  return text.trimEnd().split('\n').slice(-logTailLines).join('\n')
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`),
    )
  })
}

function environmentOf(service: ComposeService): Record<string, string> {
  const environment: Record<string, string> = { NODE_ENV: 'production' }
  for (const name of inheritedVariables) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return { ...environment, ...service.environment }
}

async function fingerprint(paths: ServicePaths, service: ComposeService): Promise<string> {
  return createHash('sha256')
    .update(await fingerprintSources(paths.repositoryDir, service.program!))
    .update(JSON.stringify(service.environment))
    .digest('hex')
}

function stateFile(paths: ServicePaths, service: string): string {
  return join(paths.stateDir, 'services', `${service}.json`)
}

async function writeServiceState(paths: ServicePaths, service: string, state: ServiceState): Promise<void> {
  const path = stateFile(paths, service)
  await writeFile(`${path}.unfinished`, `${JSON.stringify(state, null, 2)}\n`)
  await rename(`${path}.unfinished`, path)
}
