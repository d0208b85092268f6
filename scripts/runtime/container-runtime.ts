/** docker-compose.yml by Docker Compose itself: what is added is what a person sees while waiting and when something fails. */
import { execFile, spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { ComposeFile, ComposeService } from '../compose-file/compose-file.ts'
import { probePortLabel, serviceOfInstance, type Instance } from '../compose-file/instances.ts'
import type { Variables } from '../compose-file/interpolate.ts'
import { asTable, databaseOf } from '../local-runtime/mysql-server.ts'
import { requireFreePorts } from '../local-runtime/published-ports.ts'
import { composeFilePath } from '../repository.ts'
import { done, nameWidth, padVisible, print, seconds, showProgress, step } from '../terminal.ts'
import { UserError } from '../user-error.ts'
import { brokerCountOf, brokerProfiles } from './broker-count.ts'
import type { Runtime, ServiceEnd, ServiceStatus, Stack } from './runtime.ts'

const failureTailLines = 25
const serviceTailLines = 12
const readyTimeoutSeconds = 120
// 128 and the number of SIGKILL.
const killedExitCode = 137
const eraseLine = '\u001B[2K'

type ContainerStatus = {
  ID: string
  Service: string
  State: string
  Health: string
  Status: string
  ExitCode: number
}

/** What docker-compose.yml's variables must be in containers beyond their defaults there, which are those of one broker. */
export function containerVariables(variables: Variables): Variables {
  if (brokerCountOf(variables) === 1 || variables.KAFKA_BROKERS) return variables
  return { ...variables, KAFKA_BROKERS: 'kafka-1:19092,kafka-2:19092,kafka-3:19092' }
}

export function createContainerRuntime(stack: Stack): Runtime {
  const { instancesFile, profiles } = stack.file
  const files = instancesFile === null ? [] : ['--file', composeFilePath, '--file', '-']
  const composeWith = (enabled: string[]) => [
    'compose',
    ...files,
    ...enabled.flatMap(profile => ['--profile', profile]),
  ]
  // Every profile, or Compose would not see what another profile started.
  const composeCommand = composeWith(profiles)
  const compose = (parameters: string[], onLine?: (line: string) => void) =>
    run([...composeCommand, ...parameters], onLine)
  // What a service depends on is started with it: of the two sets of brokers Compose may see the wanted one only.
  const otherBrokers = brokerProfiles[stack.brokers === 1 ? 3 : 1]
  const startCommand = composeWith(profiles.filter(profile => profile !== otherBrokers))
  const { KAFKA_BROKERS } = stack.variables
  const env = { ...process.env, ...(KAFKA_BROKERS && { KAFKA_BROKERS }) }

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
      // An instance has the image of its service.
      const built = wanted.filter(s => s.program !== null && s.instanceOf === null).map(s => s.name)
      // Without a name Compose would build every image.
      if (built.length > 0) await timed('images', 'built', () => build(built))
      await timed('services', 'ready', () => start(names))
    },

    async add(instances) {
      const names = instances.map(instance => instance.name)
      await timed('instances', 'ready', () => start(['--no-deps', ...names]))
    },

    async kill(name) {
      await succeed(compose(['kill', '--signal', 'SIGKILL', name]), 'docker compose kill')
    },

    async started() {
      return (await containers()).map(({ Service }) => Service)
    },

    async status() {
      return (await containers()).map(toStatus)
    },

    async stop(names) {
      const before = (await containers()).filter(c => names.includes(c.Service))
      if (before.length === 0) return []
      const present = before.map(c => c.Service)
      await succeed(compose(['stop', ...present]), 'docker compose stop')
      const after = await containers()
      await succeed(compose(['rm', '--force', ...present]), 'docker compose rm')
      return before.map(({ ID, Service, State }) => {
        const stopped = after.find(container => container.ID === ID)
        return { service: Service, end: endOf(State, stopped?.ExitCode ?? null) }
      })
    },

    async down() {
      const present = await containers()
      if (present.length > 0) await succeed(compose(['down', '--remove-orphans']), 'docker compose down')
      return present
        .filter(({ State }) => endOf(State, null) !== 'ended before')
        .map(({ Service }) => Service)
    },

    async clean() {
      await succeed(compose(['down', '--remove-orphans', '--volumes']), 'docker compose down --volumes')
    },

    async logs({ services, lastLines, follow }, onLine) {
      const range =
        lastLines === 0
          ? ['--since', new Date(Date.now() - 1_000).toISOString()]
          : ['--tail', String(lastLines)]
      const child = spawnDocker(
        [...composeCommand, 'logs', '--no-color', ...range, ...(follow ? ['--follow'] : []), ...services],
        // Out of reach of the terminal's Ctrl-C, which the caller turns into the end of following.
        { detached: true },
      )
      const stop = () => child.kill()
      follow?.addEventListener('abort', stop, { once: true })
      let problem = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        problem += text
      })
      const ended = exitCodeOf(child)
      // "user-api-1  | the line", after an escape sequence that Compose 2.26 writes into a pipe, too
      for await (const text of createInterface({ input: child.stdout })) {
        const match = /^(.+?)-\d+\s*\| (.*)$/.exec(text.replace(eraseLine, ''))
        if (match !== null) onLine(match[1]!, match[2]!)
      }
      const code = await ended
      follow?.removeEventListener('abort', stop)
      if (code !== 0 && follow?.aborted !== true) {
        throw new UserError(`docker compose logs failed. The end of its output:\n${tail(problem)}`)
      }
    },

    async sqlClient(mysql) {
      const running = (await containers()).filter(({ State }) => State === 'running' || State === 'paused')
      const container = running.find(({ Service }) => Service === mysql.name)
      if (container === undefined) return null
      const terminal = process.stdin.isTTY && process.stdout.isTTY ? ['--tty'] : []
      // By the name alone the password goes to the container without being in any list of processes.
      const exec = ['exec', '--interactive', ...terminal, '--env', 'MYSQL_PWD', container.ID]
      return {
        command: 'docker',
        parameters: [...exec, 'mysql', '--user=root', ...asTable, databaseOf(mysql)],
        env: { MYSQL_PWD: mysql.environment.MYSQL_ROOT_PASSWORD ?? '' },
      }
    },
  }

  async function build(names: string[]): Promise<void> {
    const { code, output } = await compose(['build', '--progress', 'plain', ...names], showProgress)
    if (code !== 0) {
      throw new UserError(`The images could not be built. The end of the output:\n${tail(output)}`)
    }
  }

  async function start(names: string[]): Promise<void> {
    const wait = ['--wait', '--wait-timeout', String(readyTimeoutSeconds)]
    const { code, output } = await run(
      [...startCommand, '--progress', 'plain', 'up', '--detach', '--no-build', ...wait, ...names],
      showProgress,
    )
    if (code !== 0) throw await startFailure(output)
  }

  /** With the instances as its input, which only Compose reads. */
  function spawnDocker(parameters: string[], { detached = false } = {}): ChildProcessWithoutNullStreams {
    const child = spawn('docker', parameters, { cwd: stack.repositoryDir, env, detached })
    child.stdin.on('error', () => {
      // It ended before it had read all: its exit code tells why.
    })
    child.stdin.end(instancesFile ?? '')
    return child
  }

  /** Runs docker to the end; stdout and stderr are gathered, and told line by line. */
  async function run(parameters: string[], onLine?: (line: string) => void): Promise<Outcome> {
    const child = spawnDocker(parameters)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        output += `${line}\n`
        onLine?.(line)
      })
    }
    return { code: await exitCodeOf(child), output }
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
      const { code } = await run(['image', 'inspect', service.image])
      if (code === 0) continue
      print(`  ${step} Fetching the image ${service.image} (once)`)
      await timed(service.image, 'fetched', async () => {
        const pulled = await compose(['pull', service.name], showProgress)
        if (pulled.code !== 0)
          throw new UserError(`The image ${service.image} could not be fetched:\n${tail(pulled.output)}`)
      })
    }
  }
}

/** The instances that `make scale` started and did not stop, whether they run or not. */
export async function findContainerInstances(file: ComposeFile): Promise<Instance[]> {
  const services = file.services.map(service => service.name)
  const format = `{{.Label "com.docker.compose.service"}} {{.Label "${probePortLabel}"}}`
  const filter = `label=com.docker.compose.project=${file.projectName}`
  const parameters = ['ps', '--all', '--filter', filter, '--format', format]
  const { stdout } = await promisify(execFile)('docker', parameters)
  return stdout.split('\n').flatMap(line => {
    const [name = '', probePort] = line.split(' ')
    const of = serviceOfInstance(name, services)
    return of === null || !probePort ? [] : [{ name, of, probePort: Number(probePort) }]
  })
}

/**
 * @param state that of the container before it was stopped
 * @param exitCode null where it is not known
 */
export function endOf(state: string, exitCode: number | null): ServiceEnd {
  if (state === 'exited' || state === 'dead' || state === 'created') return 'ended before'
  return exitCode === killedExitCode ? 'killed' : 'terminated'
}

function toStatus({ ID, Service, State, Health, Status }: ContainerStatus): ServiceStatus {
  const status = (state: ServiceStatus['state']): ServiceStatus => ({
    service: Service,
    state,
    detail: Status,
    // A container's host name.
    process: { host: ID.slice(0, 12), pid: null },
  })
  if (State === 'restarting' || State === 'paused') return status('not ready')
  if (State !== 'running') return status('ended')
  return status(Health === '' || Health === 'healthy' ? 'ready' : 'not ready')
}

async function timed(subject: string, achieved: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  showProgress(`${subject} …`)
  await work().finally(() => showProgress(''))
  const took = seconds(performance.now() - startedAt)
  print(`  ${done} ${padVisible(subject, nameWidth)} ${achieved} after ${took}`)
}

type Outcome = { code: number | null; output: string }

function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
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
