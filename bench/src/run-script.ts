import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Result, Task } from './task.ts'

export interface Child {
  pid: number
  /** The first JSON line on stdout for which `accept` is true; rejects when the process ends before, or says nothing for minutes. */
  line(accept: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  /** @throws when the process has ended, with the last that it said */
  requireAlive(): void
  stop(): Promise<void>
}

/** Nobody here takes longer to say what he was asked for. */
const lineTimeoutMs = 300_000

type LoggedError = { err?: { message?: string }; msg?: string }

const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a Node process of this benchmark whose stdout is read as JSON lines; other lines are passed over. */
export function startNode(args: string[], env: Record<string, string>): Child {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  const lines: Record<string, unknown>[] = []
  const errors: string[] = []
  let changed = Promise.withResolvers<void>()
  let ended = false
  const wake = () => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  createInterface({ input: child.stdout }).on('line', text => {
    if (!text.startsWith('{')) return
    lines.push(JSON.parse(text) as Record<string, unknown>)
    wake()
  })
  createInterface({ input: child.stderr }).on('line', text => errors.push(text))
  const untilExit = async () => {
    await once(child, 'close')
    children.delete(child)
    ended = true
    wake()
  }
  const exited = untilExit()

  const requireAlive = () => {
    if (!ended) return
    // Services log why they end, scripts throw it.
    const logged = lines.findLast(({ level }) => Number(level) >= 50) as LoggedError | undefined
    const thrown = errors.find(line => /^\w*Error\b/.test(line))
    const reason = logged?.err?.message ?? logged?.msg ?? thrown ?? 'it did not say why'
    const what = relative(join(import.meta.dirname, '../..'), args.find(arg => arg.endsWith('.ts')) ?? '')
    throw new Error(`${what} ended with ${child.exitCode}: ${reason}\n${errors.slice(-15).join('\n')}`)
  }

  return {
    pid: child.pid!,
    requireAlive,
    async line(accept) {
      const deadline = performance.now() + lineTimeoutMs
      for (;;) {
        const found = lines.find(accept)
        if (found) return found
        requireAlive()
        const leftMs = deadline - performance.now()
        if (leftMs <= 0) throw new Error(`${args.join(' ')} did not say in time what it was asked for`)
        await Promise.race([changed.promise, sleep(leftMs, undefined, { ref: false })])
      }
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Largest resident memory of a running process, from the kernel's own account (Linux). */
export function peakResidentMb(pid: number): number {
  const peakKb = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(peakKb) / 1024
}

/** Begins the account anew. */
export function forgetPeakResident(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Starts a file of this benchmark as a process, with what it reads of its task. */
export function startScript(file: string, task: Partial<Task>, env: Record<string, string> = {}): Child {
  return startNode([`${import.meta.dirname}/${file}`], { BENCH_TASK: JSON.stringify(task), ...env })
}

/** Runs a contestant that measures itself. */
export async function runScript(file: string, task: Task, env: Record<string, string> = {}): Promise<Result> {
  const child = startScript(file, task, env)
  const result = await child.line(line => 'value' in line && 'residentMb' in line)
  await child.stop()
  return result as unknown as Result
}

/** Loads an HTTP contestant from a process of its own. */
export async function loadHttp(
  server: Child,
  { path, warmUpMs, durationMs }: { path: string; warmUpMs: number; durationMs: number },
): Promise<Result> {
  const { port } = await server.line(line => line['msg'] === 'listening')
  const post = async (forMs: number) => {
    const load = startNode(
      [`${import.meta.dirname}/http/load.ts`, `http://127.0.0.1:${String(port)}${path}`, `${forMs / 1000}`],
      {},
    )
    const result = await load.line(line => 'value' in line)
    await load.stop()
    return result
  }
  await post(warmUpMs)
  const result = (await post(durationMs)) as unknown as Result
  return { ...result, residentMb: peakResidentMb(server.pid) }
}
