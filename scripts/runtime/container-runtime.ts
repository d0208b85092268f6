/** docker-compose.yml by Docker Compose itself: what is added is what a person sees while waiting and when something fails. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { requireFreePorts } from '../local-runtime/published-ports.ts'
import { done, nameWidth, padVisible, print, seconds, step } from '../terminal.ts'
import { UserError } from '../user-error.ts'
import type { Runtime, ServiceStatus, Stack } from './runtime.ts'

const failureTailLines = 25
const serviceTailLines = 12
const readyTimeoutSeconds = 120

type ContainerStatus = {
  Service: string
  State: string
  Health: string
  Status: string
  ExitCode: number
}

export function createContainerRuntime(stack: Stack): Runtime {
  // Every profile, or Compose would not see what another profile started.
  const profiles = stack.file.profiles.flatMap(profile => ['--profile', profile])
  const compose = (parameters: string[], options: { show?: boolean } = {}) =>
    run('docker', ['compose', ...profiles, ...parameters], {
      cwd: stack.repositoryDir,
      ...options,
    })

  async function containers(): Promise<ContainerStatus[]> {
    const { output } = await succeed(compose(['ps', '--all', '--format', 'json']), 'docker compose ps')
    // One object a line since Compose 2.21, one array before.
    return output
      .split('\n')
      .filter(line => line.startsWith('{') || line.startsWith('['))
      .flatMap((line): ContainerStatus | ContainerStatus[] => JSON.parse(line))
  }

  return {
    kind: 'containers',
    title: 'containers',

    async up(wanted) {
      const running = new Set((await containers()).filter(c => c.State === 'running').map(c => c.Service))
      await requireFreePorts(wanted.filter(service => !running.has(service.name)))
      const names = wanted.map(service => service.name)
      await pullMissing(wanted)
      await timed('images', 'built', async () => {
        const { code, output } = await compose([
          'build',
          '--progress',
          'plain',
          ...names.filter(hasBuild(wanted)),
        ])
        if (code !== 0)
          throw new UserError(`The images could not be built. The end of the output:\n${tail(output)}`)
      })
      await timed('services', 'ready', async () => {
        const { code, output } = await compose([
          '--progress',
          'plain',
          'up',
          '--detach',
          '--no-build',
          '--wait',
          '--wait-timeout',
          String(readyTimeoutSeconds),
          ...names,
        ])
        if (code !== 0) throw await startFailure(output)
      })
    },

    async status() {
      return (await containers()).map(toStatus)
    },

    async down() {
      const present = (await containers()).map(container => container.Service)
      if (present.length > 0) await succeed(compose(['down', '--remove-orphans']), 'docker compose down')
      return present
    },

    async clean() {
      await succeed(compose(['down', '--remove-orphans', '--volumes']), 'docker compose down --volumes')
    },

    async logs({ services, lastLines, follow }, onLine) {
      const range =
        lastLines === 0
          ? ['--since', new Date(Date.now() - 1_000).toISOString()]
          : ['--tail', String(lastLines)]
      const child = spawn(
        'docker',
        [
          'compose',
          ...profiles,
          'logs',
          '--no-color',
          ...range,
          ...(follow ? ['--follow'] : []),
          ...services,
        ],
        // Out of reach of the terminal's Ctrl-C, which the caller turns into the end of following.
        { cwd: stack.repositoryDir, stdio: ['ignore', 'pipe', 'ignore'], detached: true },
      )
      const stop = () => child.kill()
      follow?.addEventListener('abort', stop, { once: true })
      // "user-api-1  | the line"
      for await (const text of createInterface({ input: child.stdout })) {
        const match = /^(.+?)-\d+\s*\| (.*)$/.exec(text)
        if (match !== null) onLine(match[1]!, match[2]!)
      }
      follow?.removeEventListener('abort', stop)
    },
  }

  /** The containers that did not come up, each with the end of its log; without one, what Compose itself said. */
  async function startFailure(output: string): Promise<UserError> {
    const broken = (await containers()).filter(container => toStatus(container).state !== 'ready')
    const reports = await Promise.all(
      broken
        .filter(container => container.State !== 'created')
        .map(async ({ Service, Status }) => {
          const logs = await compose([
            'logs',
            '--no-color',
            '--no-log-prefix',
            '--tail',
            String(serviceTailLines),
            Service,
          ])
          return `${Service} did not become ready (${Status}). The end of its log:\n${logs.output.trimEnd()}`
        }),
    )
    if (reports.length > 0) return new UserError(reports.join('\n\n'))
    return new UserError(`The containers could not be started. The end of the output:\n${tail(output)}`)
  }

  /** Images that are not built here come from a registry: the one step that takes long on a fresh machine, so it is shown. */
  async function pullMissing(wanted: ComposeService[]): Promise<void> {
    for (const service of wanted) {
      if (service.image === null || service.program !== null) continue
      const { code } = await run('docker', ['image', 'inspect', service.image], { cwd: stack.repositoryDir })
      if (code === 0) continue
      print(`  ${step} Fetching the image ${service.image} (once)`)
      await timed(service.image, 'fetched', async () => {
        const pulled = await compose(['pull', service.name], { show: true })
        if (pulled.code !== 0)
          throw new UserError(`The image ${service.image} could not be fetched:\n${tail(pulled.output)}`)
      })
    }
  }
}

function hasBuild(services: ComposeService[]): (name: string) => boolean {
  const built = new Set(services.filter(service => service.program !== null).map(service => service.name))
  return name => built.has(name)
}

function toStatus({ Service, State, Health, Status }: ContainerStatus): ServiceStatus {
  if (State !== 'running')
    return { service: Service, state: State === 'restarting' ? 'not ready' : 'ended', detail: Status }
  return {
    service: Service,
    state: Health === '' || Health === 'healthy' ? 'ready' : 'not ready',
    detail: Status,
  }
}

async function timed(subject: string, achieved: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  await work()
  const took = seconds(performance.now() - startedAt)
  print(`  ${done} ${padVisible(subject, nameWidth)} ${achieved} after ${took}`)
}

type Outcome = { code: number | null; output: string }

/** Runs to the end; stdout and stderr are gathered, and shown as well when asked for. */
function run(
  command: string,
  parameters: string[],
  options: { cwd: string; show?: boolean },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (options.show === true) process.stdout.write(text)
      })
    }
    child.once('error', reject)
    child.once('close', code => resolve({ code, output }))
  })
}

async function succeed(outcome: Promise<Outcome>, what: string): Promise<Outcome> {
  const { code, output } = await outcome
  if (code !== 0) throw new UserError(`${what} failed. The end of its output:\n${tail(output)}`)
  return { code, output }
}

function tail(output: string): string {
  return output.trimEnd().split('\n').slice(-failureTailLines).join('\n')
}
