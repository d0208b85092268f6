/**
 * docker-compose.yml without containers: Apache Kafka and MariaDB as plain processes, each service as `node services/<name>/src/main.ts`.
 * It keeps what Compose keeps: order by depends_on, ready means healthy, data stays over `down`, a changed service is replaced.
 * Not kept: isolation of file systems and networks, and restart policies; a service that ended is shown and stays ended.
 */
import { rename, rm, rmdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { acquireLock, errorCode, isAlive } from '@kafka-pattern/local-stack'
import type { ComposeFile, ComposeService } from '../compose-file/compose-file.ts'
import { serviceOfInstance, type Instance } from '../compose-file/instances.ts'
import type { Variables } from '../compose-file/interpolate.ts'
import { repositoryDir } from '../repository.ts'
import { brokerCountOf } from '../runtime/broker-count.ts'
import type { Runtime, ServiceEnd, ServiceStatus, Stack, StoppedService } from '../runtime/runtime.ts'
import { done, failed, nameWidth, padVisible, print, seconds, showProgress, step } from '../terminal.ts'
import { UserError } from '../user-error.ts'
import { connectServer } from './connect-server.ts'
import { startAsDescribed, wasStartedAsDescribed, type ImageServer } from './image-server.ts'
import { kafkaServer } from './kafka-server.ts'
import { followFile, lastLinesOf, sizeOf } from './log-file.ts'
import { mariaDbClient, mysqlServer } from './mysql-server.ts'
import { requireFreePorts } from './published-ports.ts'
import {
  isReady,
  isUpToDate,
  killService,
  listStartedServices,
  logFile,
  readServiceState,
  requireReady,
  startService,
  stopService,
  type ServicePaths,
} from './service-process.ts'

/** In the folder of the state: says which command starts or stops something there. */
const lockDirName = 'at-work'

// That of Compose.
const defaultGracePeriodMs = 10_000

const imageServers = [kafkaServer, mysqlServer, connectServer]

/** What runs in the place of the service's image; undefined when it is a program of this repository. */
function imageServerOf(service: ComposeService): ImageServer | undefined {
  return imageServers.find(({ image }) => service.image?.startsWith(`${image}:`))
}

/** False for what exists as an image only. */
export function runsLocally(service: ComposeService): boolean {
  return service.program !== null || imageServerOf(service) !== undefined
}

/** What docker-compose.yml's variables must be where the services are neighbours on this machine and not in containers. */
export function localVariables(variables: Variables): Variables {
  return {
    ...variables,
    KAFKA_BROKERS:
      variables.KAFKA_BROKERS ||
      brokerPorts(variables)
        .map(port => `127.0.0.1:${port}`)
        .join(','),
    MYSQL_HOST: variables.MYSQL_HOST || '127.0.0.1',
    LISTEN_HOST: variables.LISTEN_HOST || '127.0.0.1',
  }
}

function brokerPorts(variables: Variables): string[] {
  const { KAFKA_PORT, KAFKA_2_PORT, KAFKA_3_PORT } = variables
  const first = KAFKA_PORT || '9092'
  return brokerCountOf(variables) === 1 ? [first] : [first, KAFKA_2_PORT || '9093', KAFKA_3_PORT || '9094']
}

/** The instances that `make scale` started and did not stop, whether they run or not. */
export async function findLocalInstances(stateDir: string, file: ComposeFile): Promise<Instance[]> {
  const paths: ServicePaths = { repositoryDir, stateDir }
  const services = file.services.map(service => service.name)
  const instances: Instance[] = []
  for (const name of await listStartedServices(paths)) {
    const of = serviceOfInstance(name, services)
    const state = of === null ? null : await readServiceState(paths, name)
    if (of !== null && state !== null) instances.push({ name, of, probePort: state.probePort })
  }
  return instances
}

export function createLocalRuntime(stack: Stack): Runtime {
  const paths: ServicePaths = { repositoryDir: stack.repositoryDir, stateDir: stack.stateDir }
  const { services } = stack.file

  const isRunning = async (service: ComposeService) => {
    const server = imageServerOf(service)
    if (server !== undefined) {
      return (await (await server.find(stack.stateDir, service.name))?.isRunning()) === true
    }
    const state = await readServiceState(paths, service.name)
    return state !== null && (await isAlive(state.process))
  }

  const isAsDescribed = (service: ComposeService) =>
    imageServerOf(service) === undefined
      ? isUpToDate(paths, service)
      : wasStartedAsDescribed(stack.stateDir, service)

  async function start(service: ComposeService): Promise<void> {
    const startedAt = performance.now()
    const server = imageServerOf(service)
    if (server !== undefined) {
      await startAsDescribed(server, stack.stateDir, service, line => print(`  ${step} ${line}`))
    } else {
      await keepPreviousLog(service.name)
      await startService(paths, service)
    }
    report(service, 'ready', performance.now() - startedAt)
  }

  async function keepPreviousLog(service: string): Promise<void> {
    const path = logFile(paths, service)
    if ((await sizeOf(path)) > 0) await rename(path, path.replace(/\.log$/, '.previous.log'))
  }

  /** Null when it was not started. */
  async function stop(service: ComposeService): Promise<ServiceEnd | null> {
    const server = imageServerOf(service)
    if (server === undefined) return stopService(paths, service.name, service.stopGracePeriodMs)
    const started = await server.find(stack.stateDir, service.name)
    if (started === null) return null
    const endedBefore = !(await started.isRunning())
    const inOrder = await started.stop()
    if (endedBefore) return 'ended before'
    return inOrder ? 'terminated' : 'killed'
  }

  /** One command at a time starts and stops here: a server that another one starts looks like one whose start was interrupted. */
  async function alone<T>(work: () => Promise<T>): Promise<T> {
    const release = await acquireLock(join(stack.stateDir, lockDirName, 'lock'), ({ pid }) =>
      print(`  ${step} waiting for another command (pid ${pid}), which starts or stops services here`),
    )
    try {
      return await work()
    } finally {
      await release()
    }
  }

  /** Where nothing was ever started nothing is left. The lock's folder is not empty where another command waits or has begun. */
  async function removeEmptyDirs(): Promise<void> {
    for (const dir of [join(stack.stateDir, lockDirName), stack.stateDir]) await removeIfEmpty(dir)
  }

  async function stopAll(names: readonly string[]): Promise<StoppedService[]> {
    const stopped: StoppedService[] = []
    const stopping = new Set<string>()
    const showStopping = () => showProgress(stopping.size > 0 ? `stopping ${[...stopping].join(', ')} …` : '')
    // Consumers and producers before what they are connected to: the reverse of starting.
    for (const level of levelsOf(services).toReversed()) {
      await Promise.all(
        level.map(async service => {
          if (!names.includes(service.name)) return
          stopping.add(service.name)
          showStopping()
          const end = await stop(service).finally(() => {
            stopping.delete(service.name)
            showStopping()
          })
          if (end !== null) stopped.push({ service: service.name, end })
        }),
      )
    }
    return stopped
  }

  /** Instances that a `make scale` added after this command had looked for them, and before it had the lock. */
  async function stopAddedMeanwhile(): Promise<StoppedService[]> {
    const names = services.map(service => service.name)
    const added = (await listStartedServices(paths)).filter(name => !names.includes(name))
    const ends = await Promise.all(
      added.map(name => {
        const of = services.find(service => service.name === serviceOfInstance(name, names))
        return stopService(paths, name, of?.stopGracePeriodMs ?? defaultGracePeriodMs)
      }),
    )
    return added.flatMap((service, i) => (ends[i] ? [{ service, end: ends[i] }] : []))
  }

  async function down(): Promise<string[]> {
    const stopped = [
      ...(await stopAddedMeanwhile()),
      ...(await stopAll(services.map(service => service.name))),
    ]
    for (const { service } of stopped.filter(({ end }) => end === 'killed'))
      print(`  ${failed} ${padVisible(service, nameWidth)} did not end by itself in its time: killed`)
    return stopped.filter(({ end }) => end !== 'ended before').map(({ service }) => service)
  }

  return {
    kind: 'local',
    title: 'local processes',

    up: wanted => alone(() => up(wanted)),

    add: instances => alone(() => add(instances)),

    async kill(name) {
      const service = services.find(candidate => candidate.name === name)
      const server = service && imageServerOf(service)
      if (server === undefined) await killService(paths, name)
      else await (await server.find(stack.stateDir, name))?.kill()
    },

    async started() {
      const all = await Promise.all(
        services.map(async service => ((await wasStarted(service)) ? [service.name] : [])),
      )
      return all.flat()
    },

    async status() {
      const all = await Promise.all(services.map(service => statusOf(service)))
      return all.filter(status => status !== null)
    },

    stop: names => alone(() => stopAll(names)),

    async down() {
      const stopped = await alone(down)
      await removeEmptyDirs()
      return stopped
    },

    async clean() {
      await alone(async () => {
        await down()
        // What was put there by this runtime, by name: LOCAL_STACK_DIR may be a folder that holds other things, too.
        const own = ['logs', 'services', ...services.filter(imageServerOf).map(service => service.name)]
        for (const name of own) await rm(join(stack.stateDir, name), { recursive: true, force: true })
      })
      await removeEmptyDirs()
    },

    async logs({ services: names, lastLines, follow }, onLine) {
      await Promise.all(
        names.map(async name => {
          const path = logPathOf(name)
          // Taken before the newest lines are read, so that nothing is missed in between.
          const size = await sizeOf(path)
          for (const line of await lastLinesOf(path, lastLines)) onLine(name, line)
          if (follow !== undefined) await followFile(path, size, line => onLine(name, line), follow)
        }),
      )
    },

    sqlClient: mysql => mariaDbClient(stack.stateDir, mysql),
  }

  async function up(wanted: ComposeService[]): Promise<void> {
    requireRunnable(wanted)
    const missing: ComposeService[] = []
    const changed: ComposeService[] = []
    for (const service of wanted) {
      if (!(await isRunning(service))) missing.push(service)
      else if (!(await isAsDescribed(service))) changed.push(service)
    }
    // Before anything is stopped.
    await requireFreePorts(missing)
    // What is connected to others before them: it ends in order only while they are there.
    for (const service of changed.toReversed()) {
      print(
        `  ${step} ${padVisible(service.name, nameWidth)} its code or settings changed, or its start was interrupted: starting it anew`,
      )
      await stop(service)
    }
    await requireFreePorts(changed)
    const toStart = wanted.filter(service => missing.includes(service) || changed.includes(service))
    for (const server of imageServers) {
      await server.prepare?.(
        stack.stateDir,
        toStart.filter(service => imageServerOf(service) === server),
      )
    }
    await startInOrder(toStart, start)
    // Last: what runs already may wait for a broker that is only back now.
    for (const service of wanted) {
      if (toStart.includes(service)) continue
      if (imageServerOf(service) === undefined) await requireReady(paths, service)
      report(service, 'runs already')
    }
  }

  async function add(instances: ComposeService[]): Promise<void> {
    for (const { name, instanceOf } of instances) {
      const service = services.find(candidate => candidate.name === instanceOf)
      if (service !== undefined && (await isRunning(service))) continue
      throw new UserError(`${name} is not started: ${instanceOf} does not run any more.`)
    }
    const missing: ComposeService[] = []
    for (const instance of instances) {
      // Another `make scale` was faster: a second one of the name would be known to nobody, because they would share one state file.
      if (await isRunning(instance)) report(instance, 'runs already')
      else missing.push(instance)
    }
    await startInOrder(missing, start)
  }

  async function wasStarted(service: ComposeService): Promise<boolean> {
    const server = imageServerOf(service)
    const state =
      server === undefined
        ? await readServiceState(paths, service.name)
        : await server.find(stack.stateDir, service.name)
    return state !== null
  }

  async function statusOf(service: ComposeService): Promise<ServiceStatus | null> {
    const server = imageServerOf(service)
    const status = (state: ServiceStatus['state'], pid: number | null, detail = `pid ${pid}`) => ({
      service: service.name,
      state,
      detail,
      process: { host: hostname(), pid },
    })
    const endedStatus = (pid: number | null) => status('ended', pid, `make logs SERVICE=${service.name}`)
    if (server !== undefined) {
      const started = await server.find(stack.stateDir, service.name)
      if (started === null) return null
      if (!(await started.isRunning())) return endedStatus(started.pid)
      return status((await started.isReady()) ? 'ready' : 'not ready', started.pid)
    }
    const state = await readServiceState(paths, service.name)
    if (state === null) return null
    const { pid } = state.process
    if (!(await isAlive(state.process))) return endedStatus(pid)
    return status((await isReady(state.probePort)) ? 'ready' : 'not ready', pid)
  }

  function logPathOf(name: string): string {
    const service = services.find(candidate => candidate.name === name)
    const server = service && imageServerOf(service)
    return service === undefined || server === undefined
      ? logFile(paths, name)
      : server.logFile(stack.stateDir, service)
  }
}

function requireRunnable(services: ComposeService[]): void {
  const foreign = services.filter(service => !runsLocally(service))
  if (foreign.length === 0) return
  const images = imageServers.map(({ image }) => image).join(', ')
  throw new UserError(
    `docker-compose.yml: the local runtime can run images of ${images} and builds with the argument SERVICE, but not ${foreign.map(({ name }) => name).join(', ')}.`,
  )
}

async function removeIfEmpty(dir: string): Promise<void> {
  try {
    await rmdir(dir)
  } catch (error) {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'ENOENT') throw error
  }
}

/** Each service as soon as all that it depends on is there; the first failure is the caller's, once what was begun has ended. */
async function startInOrder(
  services: ComposeService[],
  start: (service: ComposeService) => Promise<void>,
): Promise<void> {
  const started = new Map<string, Promise<void>>()
  for (const service of services) {
    const dependencies = service.dependsOn.map(({ service: name }) => started.get(name) ?? Promise.resolve())
    started.set(
      service.name,
      Promise.all(dependencies).then(() => start(service)),
    )
  }
  const outcomes = await Promise.allSettled(started.values())
  const failures = outcomes
    .filter(outcome => outcome.status === 'rejected')
    .map(({ reason }) => reason as unknown)
  // What waited for a failed service rejects with the very same error.
  const distinct = [...new Set(failures)]
  if (distinct.length > 1 && distinct.every(failure => failure instanceof UserError)) {
    throw new UserError(distinct.map(failure => failure.message).join('\n\n'))
  }
  if (distinct.length > 0) throw distinct[0]
}

/** Services that depend on nothing, then those that depend on these, and so on. */
function levelsOf(services: ComposeService[]): ComposeService[][] {
  const levels: ComposeService[][] = []
  const placed = new Set<string>()
  while (placed.size < services.length) {
    const level = services.filter(s => !placed.has(s.name) && s.dependsOn.every(d => placed.has(d.service)))
    if (level.length === 0)
      throw new UserError('docker-compose.yml: services depend on each other in a circle.')
    levels.push(level)
    for (const service of level) placed.add(service.name)
  }
  return levels
}

function report(service: ComposeService, state: string, durationMs?: number): void {
  const took = durationMs === undefined ? '' : ` after ${seconds(durationMs)}`
  print(`  ${done} ${padVisible(service.name, nameWidth)} ${state}${took}`)
}
