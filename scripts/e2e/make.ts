/** Types `make …` as a person does, in a stack of the test's own: other ports, other data, another project than a developer's. */
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePorts } from '@kafka-pattern/local-stack'
import { repositoryDir } from '../repository.ts'
import { findDocker } from '../runtime/docker.ts'

export type MakeResult = {
  code: number | null
  stdout: string
  stderr: string
  output: string
}

export type TestStack = {
  kind: 'local' | 'containers'
  env: Record<string, string>
  /** by the names of their variables */
  ports: Record<string, number>
  stateDir: string
  projectName: string
  make(...parameters: string[]): Promise<MakeResult>
  start(...parameters: string[]): ChildProcess
  /** On a terminal of its own, with both outputs in stdout; Ctrl-C is what stdin gets: `child.stdin.write('\u0003')`. */
  startOnTerminal(...parameters: string[]): ChildProcessWithoutNullStreams
  /** Ends whatever runs and removes what it left. */
  remove(): Promise<void>
}

const portVariables = [
  'KAFKA_PORT',
  'KAFKA_2_PORT',
  'KAFKA_3_PORT',
  'USER_API_PORT',
  'USER_API_PROBE_PORT',
  'FAMILY_API_PORT',
  'FAMILY_API_PROBE_PORT',
  'COWORKER_API_PORT',
  'COWORKER_API_PROBE_PORT',
  'SIMPLE_CONSUMER_PROBE_PORT',
  'BATCH_CONSUMER_PROBE_PORT',
  'MYSQL_PORT',
  'CONNECT_PORT',
  'CDC_REGISTRY_PORT',
  'CDC_REGISTRY_PROBE_PORT',
  'CDC_POLLER_PROBE_PORT',
  'CDC_SINK_PROBE_PORT',
  'OUTBOX_REGISTRY_PORT',
  'OUTBOX_REGISTRY_PROBE_PORT',
  'OUTBOX_RELAY_PROBE_PORT',
  'OUTBOX_SINK_PROBE_PORT',
  'KAFKA_UI_PORT',
  'REDPANDA_CONSOLE_PORT',
]

/** RUNTIME, else what TEST_STACK says of the other tests, else what `make up` itself would choose. */
export async function runtimeUnderTest(): Promise<'local' | 'containers'> {
  const wanted = process.env.RUNTIME || process.env.TEST_STACK
  if (wanted === 'local' || wanted === 'containers') return wanted
  return (await findDocker()).usable ? 'containers' : 'local'
}

/** `settings` of .env that hold for every command of the stack. */
export async function newStack(settings: Record<string, string> = {}): Promise<TestStack> {
  const kind = await runtimeUnderTest()
  const stateDir = await mkdtemp(join(tmpdir(), 'kafka-pattern-e2e-'))
  const projectName = `kafka-pattern-e2e-${stateDir.slice(-6).toLowerCase()}`
  const free = await findFreePorts(portVariables.length)
  const ports = Object.fromEntries(portVariables.map((name, i) => [name, free[i]!]))
  const env = {
    ...settings,
    RUNTIME: kind,
    LOCAL_STACK_DIR: stateDir,
    COMPOSE_PROJECT_NAME: projectName,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
  }
  return {
    kind,
    env,
    ports,
    stateDir,
    projectName,
    make: (...parameters) => make(parameters, env),
    start: (...parameters) => startMake(parameters, env),
    startOnTerminal: (...parameters) => startOnTerminal(parameters, env),
    async remove() {
      await make(['clean'], env)
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

export async function make(parameters: string[], env: Record<string, string> = {}): Promise<MakeResult> {
  const child = startMake(parameters, env)
  let stdout = ''
  let stderr = ''
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    output += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    output += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { code, stdout, stderr, output }
}

/** In a process group of its own, so that a test can press Ctrl-C: `process.kill(-child.pid, 'SIGINT')`. */
export function startMake(parameters: string[], env: Record<string, string>): ChildProcess {
  return spawn('make', parameters, {
    cwd: repositoryDir,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
}

/** By `script`, which is part of every macOS and, with util-linux, of every common Linux. */
function startOnTerminal(parameters: string[], env: Record<string, string>): ChildProcessWithoutNullStreams {
  // Its own terminal is as large as that of its caller, who has none.
  const command = ['sh', '-c', 'stty rows 60 cols 200; exec make "$@"', 'make', ...parameters]
  const quoted = command.map(word => `'${word}'`).join(' ')
  return spawn(
    'script',
    process.platform === 'darwin' ? ['-q', '/dev/null', ...command] : ['-qec', quoted, '/dev/null'],
    {
      cwd: repositoryDir,
      env: { ...cleanEnvironment(), TERM: 'xterm', ...env },
    },
  )
}

/** What a shell of a person has: nothing of the test run, of an outer make, of colours, or of a setting of the stack. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(VITEST|TEST_STACK$|MAKE|MFLAGS$|NODE_ENV$|NODE_OPTIONS$|FORCE_COLOR$|NO_COLOR$|RUNTIME$|BROKERS$|KAFKA_|MYSQL_|BATCH_|POLL_INTERVAL_MS$|RELAY_LANES$|LOG_LEVEL$|LISTEN_HOST$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}
