/** Ports for servers: free ones that stay usable over a restart, or a clear answer about who holds a given one. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { errorCode } from './error-code.ts'
import { PortInUseError } from './errors.ts'

const runFile = promisify(execFile)

// Below every system's range of ephemeral ports (Linux from 32768, macOS from 49152). A port of that range could, while its
// server is down between kill and restart, be given to any outgoing connection; worse, a client that keeps dialling
// it on the loopback can be given the very port as its source and connect to itself.

// A port that was found is anybody's until its server listens, and whenever its server is down. So a process never gets the same one twice.
const given = new Set<number>()
let searched = { first: 20_000, count: 12_000 }

/** From now on this process looks for its ports there alone, so that it does not get those of others which run beside it. */
export function searchPortsIn(range: { first: number; count: number }): void {
  searched = range
}

/** A port on 127.0.0.1 that nothing listens on now. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = searched.first + Math.floor(Math.random() * searched.count)
    if (given.size >= searched.count) given.clear()
    if (given.has(port)) continue
    given.add(port)
    if (await isPortFree(port)) return port
  }
}

/** `count` different ports on 127.0.0.1 like that. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await findFreePort())
  return [...ports]
}

/** @throws {PortInUseError} naming the port and, where the system tells, its holder */
export async function requireFreePort(port: number): Promise<void> {
  if (!(await isPortFree(port))) throw new PortInUseError(port, await findPortHolder(port))
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => {
      if (errorCode(error) === 'EADDRINUSE') resolve(false)
      // One that this user may not open, below 1024: its server will say so, unless it may (a container's).
      else if (errorCode(error) === 'EACCES') resolve(true)
      else reject(error)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Best effort: what listens on the port, for an error message; null where no tool can tell. */
export async function findPortHolder(port: number): Promise<string | null> {
  const lsof = await outputOf('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'])
  const byLsof = /^p(\d+)\nc(.+)$/m.exec(lsof)
  const container = (
    await outputOf('docker', ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'])
  ).trim()
  if (container !== '') return `container ${container.split('\n')[0]}`
  if (byLsof) return `${byLsof[2]} (pid ${byLsof[1]})`
  const ss = await outputOf('ss', ['-Hltnp', `sport = :${port}`])
  const bySs = /users:\(\("([^"]+)",pid=(\d+)/.exec(ss)
  return bySs ? `${bySs[1]} (pid ${bySs[2]})` : null
}

/** A tool's output, or '' when it is missing or fails: the caller only wants what can be had. */
async function outputOf(tool: string, parameters: string[]): Promise<string> {
  try {
    return (await runFile(tool, parameters, { timeout: 10_000 })).stdout
  } catch {
    return ''
  }
}
