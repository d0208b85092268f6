/**
 * A server that outlives its starter: it runs in a session of its own, so that neither Ctrl-C in the starter's terminal
 * nor the starter's end reaches it, logs to a file, and is known by its identity alone.
 */
import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { LocalStackError } from './errors.ts'
import {
  identifyProcess,
  isAlive,
  signalProcess,
  waitForExit,
  type ProcessIdentity,
} from './process-identity.ts'

const logTailLines = 25

export type ServerCommand = {
  /** what it is, for error messages, e.g. "Kafka broker 1" */
  title: string
  command: string
  parameters: string[]
  cwd: string
  /** stdout and stderr are appended to this file */
  logFile: string
  env?: Record<string, string>
  /** false: Ctrl-C in the starter's terminal ends it too; true by default */
  outlivesTerminal?: boolean
}

/** @throws {LocalStackError} when the command cannot be started */
export async function startDetached(server: ServerCommand): Promise<ProcessIdentity> {
  const log = await open(server.logFile, 'a')
  try {
    const child = spawn(server.command, server.parameters, {
      cwd: server.cwd,
      env: { ...process.env, ...server.env },
      detached: server.outlivesTerminal ?? true,
      stdio: ['ignore', log.fd, log.fd],
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', cause =>
        reject(new LocalStackError(`${server.title} cannot be started`, { cause })),
      )
    })
    child.unref()
    const identity = child.pid === undefined ? null : await identifyProcess(child.pid)
    if (identity === null) throw await diedError(server)
    return identity
  } finally {
    await log.close()
  }
}

/**
 * Polls `isReady` until it is true.
 * @throws {LocalStackError} with the end of the server's log when it dies first or is not ready after `timeoutMs`
 */
export async function waitUntilReady(
  server: ServerCommand,
  identity: ProcessIdentity,
  isReady: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isReady())) {
    if (!(await isAlive(identity))) throw await diedError(server)
    if (performance.now() > deadline) {
      throw new LocalStackError(
        `${server.title} was not ready after ${timeoutMs} ms. The end of ${server.logFile}:\n${await logTail(server.logFile)}`,
      )
    }
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}

/** SIGTERM, and SIGKILL when the process is still there after `timeoutMs`: then false. Returns when it is gone. */
export async function stopProcess(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  if (!(await signalProcess(identity, 'SIGTERM'))) return true
  // A frozen process gets its SIGTERM only once it is thawed.
  await signalProcess(identity, 'SIGCONT')
  if (await waitForExit(identity, timeoutMs)) return true
  await killProcess(identity)
  return false
}

/** SIGKILL. Returns when the process is gone. */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  await signalProcess(identity, 'SIGKILL')
  // It is gone only when what it was writing to the disk is written.
  if (!(await waitForExit(identity, 60_000))) {
    throw new LocalStackError(`Process ${identity.pid} is still there 60 s after SIGKILL.`)
  }
}

async function diedError(server: ServerCommand): Promise<LocalStackError> {
  return new LocalStackError(
    `${server.title} ended while starting. The end of ${server.logFile}:\n${await logTail(server.logFile)}`,
  )
}

async function logTail(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-logTailLines).join('\n')
}
