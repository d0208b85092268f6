/** The real service as a process of its own, as it runs in production: started, watched, stopped, killed, frozen. */
import { identifyProcess } from '@kafka-pattern/local-stack'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inject, onTestFailed, TestRunner } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import { eventually } from './eventually.ts'
import { testKafka } from './test-kafka.ts'
import { registerProcess } from './test-run.ts'

export type ServiceName =
  | 'simple-producer'
  | 'simple-consumer'
  | 'batch-consumer'
  | 'user-registry'
  | 'cdc-poller'
  | 'outbox-relay'
  | 'mysql-sink-consumer'

/** One line of a service's log. */
export type LogLine = { msg?: string; level?: number; [field: string]: unknown }

export type RunningService = {
  readonly name: ServiceName
  readonly pid: number
  /** of its HTTP interface; throws when it has none (yet) */
  readonly url: string
  /** of its probes; throws when they do not listen (yet) */
  readonly probeUrl: string
  /** every line of stdout that is a JSON object, parsed */
  readonly logLines: readonly LogLine[]
  /** every line of stdout, as it is */
  readonly stdoutLines: readonly string[]
  readonly stderrLines: readonly string[]
  /** null while it runs; the signal's name when one ended it */
  readonly exit: number | NodeJS.Signals | null
  /**
   * The first line, past or future, of which `predicate` is true. Fails when the service ends before. `after`: not one of the first
   * so many lines, for what may have been said before the fault that a test makes; it is `logLines.length` then.
   */
  waitForLog(
    predicate: (line: LogLine) => boolean,
    options?: { what?: string; timeoutMs?: number; after?: number },
  ): Promise<LogLine>
  /** Resolves when it has ended: the exit code, or the name of the signal that ended it. */
  waitForExit(timeoutMs?: number): Promise<number | NodeJS.Signals>
  /** SIGTERM; resolves when it has ended. */
  stop(timeoutMs?: number): Promise<number | NodeJS.Signals>
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>
  /** SIGSTOP: to the broker a process that hangs, its connections open. */
  freeze(): void
  /** SIGCONT */
  thaw(): void
}

export type StartServiceOptions = {
  /** true by default: resolves only when the service is ready */
  waitReady?: boolean
  /** 60,000 by default */
  readyTimeoutMs?: number
}

const servicesDir = join(import.meta.dirname, '..', '..', '..', 'services')
const shownLines = 40
const withHttp = new Set<ServiceName>(['simple-producer', 'user-registry'])

/**
 * Starts `node services/<name>/src/main.ts` against the run's brokers, on ports that are free. `env` adds to that or
 * overrides it; nothing else of this process's environment is passed on but PATH, HOME, TMPDIR and NODE_COMPILE_CACHE. The service ends with
 * the test; when the test fails, its last output is printed.
 * @throws Error with the last output when the service ends, or does not become ready in time, with `waitReady`
 */
export async function startService(
  name: ServiceName,
  env: Record<string, string> = {},
  options: StartServiceOptions = {},
): Promise<RunningService> {
  const runDir = inject('testRunDir')
  const { PATH = '', HOME = '', TMPDIR = '/tmp', NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [join(servicesDir, name, 'src', 'main.ts')], {
    // A folder without a .env file: a developer's own settings must not decide a test.
    cwd: runDir,
    env: {
      PATH,
      HOME,
      TMPDIR,
      ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }),
      KAFKA_BROKERS: testKafka().brokers.join(','),
      PROBE_PORT: '0',
      ...(withHttp.has(name) && { PORT: '0' }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const logLines: LogLine[] = []
  const stdoutLines: string[] = []
  const stderrLines: string[] = []
  const output: string[] = []
  let exit: number | NodeJS.Signals | null = null
  let spawnError: Error | undefined
  child.once('error', error => (spawnError = error))
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  child.once('close', (code, signal) => (exit = code ?? signal))
  createInterface({ input: child.stdout }).on('line', line => {
    stdoutLines.push(line)
    output.push(line)
    const parsed = parseLogLine(line)
    if (parsed !== null) logLines.push(parsed)
  })
  createInterface({ input: child.stderr }).on('line', line => {
    stderrLines.push(line)
    output.push(line)
  })
  const { pid } = child
  const identity = pid === undefined ? null : await identifyProcess(pid)
  if (pid === undefined) throw new Error(`${name} cannot be started`, { cause: spawnError })
  if (identity !== null) await registerProcess(runDir, identity)

  const lastOutput = () => `The last output of ${name} (pid ${pid}):\n${output.slice(-shownLines).join('\n')}`
  const portOf = (msg: string) => {
    const port = logLines.find(line => line.msg === msg)?.port
    if (typeof port !== 'number') throw new Error(`${name} has not logged "${msg}". ${lastOutput()}`)
    return port
  }

  const service: RunningService = {
    name,
    pid,
    logLines,
    stdoutLines,
    stderrLines,
    get url() {
      return `http://127.0.0.1:${portOf('listening')}`
    },
    get probeUrl() {
      return `http://127.0.0.1:${portOf('probes listening')}`
    },
    get exit() {
      return exit
    },
    async waitForLog(predicate, { what = 'a line of its log', timeoutMs = 60_000, after = 0 } = {}) {
      const found = await eventually(
        () => {
          const line = logLines.slice(after).find(predicate)
          if (line !== undefined) return line
          if (exit !== null) return null
          throw new Error(lastOutput())
        },
        { what: `${name}: ${what}`, timeoutMs },
      )
      if (found === null) throw new Error(`${name} ended with ${exit} before ${what}. ${lastOutput()}`)
      return found
    },
    async waitForExit(timeoutMs = 60_000) {
      return eventually(
        () => {
          if (exit === null) throw new Error(lastOutput())
          return exit
        },
        { what: `the end of ${name}`, timeoutMs },
      )
    },
    async stop(timeoutMs = 60_000) {
      child.kill('SIGTERM')
      return service.waitForExit(timeoutMs)
    },
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  }
  if (TestRunner.getCurrentTest() !== undefined) onTestFailed(() => console.error(lastOutput()))
  atEndOfTest(() => endService(service))

  if (options.waitReady ?? true) {
    try {
      await service.waitForLog(line => line.msg === 'ready', {
        what: 'being ready',
        timeoutMs: options.readyTimeoutMs ?? 60_000,
      })
    } catch (error) {
      await endService(service)
      throw error
    }
  }
  return service
}

/** At the end of a test a service gets a moment to leave its group; whether it drains in order is for other tests to tell. */
async function endService(service: RunningService): Promise<void> {
  if (service.exit !== null) return
  service.thaw()
  try {
    await service.stop(5_000)
  } catch {
    await service.kill()
  }
}

function parseLogLine(line: string): LogLine | null {
  if (!line.startsWith('{')) return null
  try {
    const value: unknown = JSON.parse(line)
    return isLogLine(value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function isLogLine(value: unknown): value is LogLine {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
