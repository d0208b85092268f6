/** What tests and people do to a server that runs: look, stop, kill, freeze, start again. */
import { LocalStackError } from './errors.ts'
import { requireFreePort } from './ports.ts'
import { isAlive, signalProcess, waitUntilStopped, type ProcessIdentity } from './process-identity.ts'
import { killProcess, stopProcess } from './server-process.ts'

const defaultStopTimeoutMs = 15_000
const freezeTimeoutMs = 30_000

export type ControlledServer = {
  readonly port: number
  /** null while it is stopped */
  readonly pid: number | null
  isRunning(): Promise<boolean>
  /** Whether it answers as one that can work does: not while it starts, or is frozen. */
  isReady(): Promise<boolean>
  /** Starts a stopped or killed server again on its data and port; resolves when it is ready. */
  start(): Promise<void>
  /** SIGTERM, and SIGKILL when it has not ended in order after `timeoutMs` (15 s by default): then false. */
  stop(timeoutMs?: number): Promise<boolean>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGSTOP; resolves when it stands still: its connections stay open, nothing answers. */
  freeze(): Promise<void>
  /** SIGCONT */
  thaw(): Promise<void>
}

export type ServerHandle = {
  /** for error messages, e.g. "Kafka broker 1" */
  title: string
  port: number
  /** what the server's state file says; changed here and saved */
  state: { process: ProcessIdentity | null }
  save: () => void
  /** starts the process, notes it in `state` and resolves when it is ready */
  launch: () => Promise<void>
  /** false when no answer comes in some seconds */
  isReady: () => Promise<boolean>
}

export function controlServer({ title, port, state, save, launch, isReady }: ServerHandle): ControlledServer {
  const ended = () => {
    state.process = null
    save()
  }
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => {
    if (state.process === null || !(await signalProcess(state.process, name))) {
      throw new LocalStackError(`${title} does not run.`)
    }
  }
  const isRunning = async () => state.process !== null && (await isAlive(state.process))
  return {
    port,
    get pid() {
      return state.process?.pid ?? null
    },
    isRunning,
    // Somebody else may have got the port of a server that has ended.
    isReady: async () => (await isRunning()) && (await isReady()),
    async start() {
      if (await isRunning()) throw new LocalStackError(`${title} runs already.`)
      await requireFreePort(port)
      await launch()
    },
    async stop(timeoutMs = defaultStopTimeoutMs) {
      if (state.process === null) return true
      const inOrder = await stopProcess(state.process, timeoutMs)
      ended()
      return inOrder
    },
    async kill() {
      if (state.process === null) return
      await killProcess(state.process)
      ended()
    },
    async freeze() {
      await signal('SIGSTOP')
      if (state.process !== null && !(await waitUntilStopped(state.process, freezeTimeoutMs))) {
        throw new LocalStackError(`${title} (pid ${state.process.pid}) does not stand still.`)
      }
    },
    thaw: () => signal('SIGCONT'),
  }
}
