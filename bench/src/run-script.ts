import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Result, Task } from './task.ts'

export interface Child {
  pid: number
  /** The next JSON line on stdout for which `accept` is true; rejects when the process ends before. */
  line(accept: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  stop(): Promise<void>
}

/** Starts a Node process of this benchmark whose stdout is read as JSON lines; other lines are passed over. */
export function startNode(args: string[], env: Record<string, string>): Child {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
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
    ended = true
    wake()
  }
  const exited = untilExit()

  return {
    pid: child.pid!,
    async line(accept) {
      for (;;) {
        const found = lines.find(accept)
        if (found) return found
        if (ended) {
          throw new Error(`${args.join(' ')} ended with ${child.exitCode}:\n${errors.slice(-15).join('\n')}`)
        }
        await changed.promise
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

/** Runs a contestant that measures itself. */
export async function runScript(file: string, task: Task): Promise<Result> {
  const child = startNode([`${import.meta.dirname}/${file}`], { BENCH_TASK: JSON.stringify(task) })
  const result = await child.line(line => 'value' in line && 'residentMb' in line)
  await child.stop()
  return result as unknown as Result
}

/** Loads an HTTP contestant from a process of its own. */
export async function loadHttp(server: Child, task: Task): Promise<Result> {
  const { port } = await server.line(line => line['msg'] === 'listening')
  const post = async (durationMs: number) => {
    const load = startNode(
      [
        `${import.meta.dirname}/http/load.ts`,
        `http://127.0.0.1:${String(port)}/create`,
        `${durationMs / 1000}`,
      ],
      {},
    )
    const result = await load.line(line => 'value' in line)
    await load.stop()
    return result
  }
  await post(task.warmUpMs)
  const result = (await post(task.durationMs)) as unknown as Result
  return { ...result, residentMb: peakResidentMb(server.pid) }
}
