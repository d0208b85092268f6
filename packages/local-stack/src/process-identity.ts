/**
 * Who a process is: a pid alone is reused by the system, so a pid read back from a file may belong to a stranger.
 * Together with the time at which the process started it is unique, and only such a pair is ever signalled here.
 */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { errorCode } from './error-code.ts'

export type ProcessIdentity = {
  pid: number
  /** opaque; equal for the same process, different for every other process that has or had this pid */
  startTime: string
}

const runFile = promisify(execFile)

/**
 * An identity that was written to a file as JSON.
 * @throws {SyntaxError} when the text is no such thing
 */
export function parseProcessIdentity(text: string): ProcessIdentity {
  const value: unknown = JSON.parse(text)
  if (!isProcessIdentity(value)) throw new SyntaxError(`not the identity of a process: ${text}`)
  return value
}

function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTime' in value &&
    typeof value.startTime === 'string'
  )
}

/** The identity of the process that has this pid now, or null when none has (a zombie counts as none). */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const startTime = process.platform === 'linux' ? await linuxStartTime(pid) : await posixStartTime(pid)
  return startTime === null ? null : { pid, startTime }
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const current = await identifyProcess(identity.pid)
  return current !== null && current.startTime === identity.startTime
}

/** Signals exactly this process. False when it is gone, whoever may have its pid now. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false
    throw error
  }
}

/** Waits until the process is gone. False when it is still there after `timeoutMs`. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (await isAlive(identity)) {
    if (performance.now() > deadline) return false
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return true
}

/**
 * Waits until a process that was sent SIGSTOP stands still: the signal is taken by one thread, and the others go on until that one
 * has had its turn, which on a busy machine is a while. False when it has not by `timeoutMs`.
 */
export async function waitUntilStopped({ pid }: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!(await statesOf(pid)).every(state => state.startsWith('T'))) {
    if (performance.now() > deadline) return false
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  return true
}

/** The states of the threads of a process, where the system tells them, else its own: T = stopped. */
async function statesOf(pid: number): Promise<string[]> {
  if (process.platform !== 'linux') {
    const { stdout } = await runFile('ps', ['-o', 'stat=', '-p', String(pid)])
    return [stdout.trim()]
  }
  const threads = await readdir(`/proc/${pid}/task`)
  return Promise.all(
    threads.map(async thread => {
      try {
        const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')
        return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
      } catch (error) {
        // A thread that has ended meanwhile does nothing more.
        if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return 'T'
        throw error
      }
    }),
  )
}

async function linuxStartTime(pid: number): Promise<string | null> {
  try {
    const [stat, bootId] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ])
    // proc(5): field 2 is the command in parentheses and may itself hold spaces; state is field 3, starttime field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const state = fields[0]
    // A killed process is a zombie until its parent has read its end; but while other threads of it are still going
    // (field 20 counts them) it holds its ports, so only then is it gone.
    if (state === 'X' || (state === 'Z' && Number(fields[17]) <= 1)) return null
    // Ticks count from the boot, so without the boot's id a process could be mistaken for one of an earlier boot.
    return `${bootId.trim()}/${fields[19]}`
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return null
    throw error
  }
}

async function posixStartTime(pid: number): Promise<string | null> {
  try {
    const { stdout } = await runFile('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      // The text depends on both, and two commands may differ in them.
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    })
    const [state = '', ...started] = stdout.trim().split(/\s+/)
    return state === '' || state.startsWith('Z') ? null : started.join(' ')
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if (errorCode(error) === 1) return null
    throw error
  }
}
