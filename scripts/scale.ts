/**
 * `make scale SERVICE=batch-consumer N=3`: as many instances of a service as wanted, more or fewer than there are. It ends when the work
 * is settled among them: each is a member of the group, or has its share of the lanes, and those that went have nothing left.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { classifyKafkaError } from '@kafka-pattern/kafka-config'
import { findFreePorts } from '@kafka-pattern/local-stack'
import { classifyMysqlError } from '@kafka-pattern/mysql-config'
import { runCommand } from './command.ts'
import type { ComposeFile, ComposeService } from './compose-file/compose-file.ts'
import { instanceName, type Instance } from './compose-file/instances.ts'
import { requireAcceptedSettings } from './refused-settings.ts'
import { findActiveRuntime, withInstances } from './runtime/choose-runtime.ts'
import type { Runtime, ServiceEnd } from './runtime/runtime.ts'
import { readRequest } from './scale/request.ts'
import { sharingOf, type Holdings, type RunningInstance, type Sharing } from './scale/sharing.ts'
import { probeUrl } from './stack-addresses.ts'
import {
  colorOf,
  colors,
  done,
  nameWidth,
  padVisible,
  print,
  seconds,
  showProgress,
  step,
} from './terminal.ts'
import { UserError } from './user-error.ts'

// A member that was killed keeps its partitions until its session has timed out (30 s), one that works until it has drained.
const settledTimeoutMs = 90_000
// All of many at once would take each other's time until none is ready in time.
const startedAtOnce = 4
const addressWidth = 31
const endings: Record<ServiceEnd, string> = {
  'ended before': 'had ended before',
  terminated: 'told to leave, and has left',
  killed: 'told to leave, had not when its time was up, and was killed',
}

await runCommand(async () => {
  const startedAt = performance.now()
  const found = await findActiveRuntime()
  const { service, wanted } = readRequest(process.env, found.stack.file)
  const before = await runningInstances(found.runtime, found.stack.file, service)
  if (!before.some(({ name }) => name === service.name)) {
    const target = service.profiles[0] === 'pubsub' ? 'up' : `${service.profiles[0]}-up`
    throw new UserError(`${service.name} does not run: \`make ${target}\` starts it.`)
  }
  await requireAcceptedSettings([service])
  const sharing = await orSayWhy(() => sharingOf(service)!(service, found.stack, found.runtime.kind))
  try {
    const count = before.length === wanted ? `${wanted}` : `${before.length} → ${wanted}`
    const how = wanted === 1 ? '' : `, ${sharing.how}`
    print(`${colors.bold(`${service.name}: ${count} instance${wanted === 1 ? '' : 's'}`)}${how}`)
    const warning = sharing.idleWarning(wanted)
    if (warning !== null) print(`  ${colors.yellow(warning)}`)

    const names = Array.from({ length: wanted }, (_, i) => instanceName(service.name, i + 1))
    const known = instancesIn(found.stack.file)
    const surplus = known.filter(each => each.of === service.name && !names.includes(each.name))
    for (const { service: name, end } of await found.runtime.stop(surplus.map(each => each.name))) {
      print(`  ${step} ${padVisible(name, nameWidth)} ${endings[end]}`)
    }
    const missing = names.filter(name => !before.some(instance => instance.name === name))
    const planned = await withInstances(found, [
      ...known.filter(each => !surplus.includes(each) && !missing.includes(each.name)),
      ...(await newInstances(missing, service)),
    ])
    const toStart = planned.stack.file.services.filter(each => missing.includes(each.name))
    for (let at = 0; at < toStart.length; at += startedAtOnce) {
      await planned.runtime.add(toStart.slice(at, at + startedAtOnce))
    }

    // Another command may have been faster, at other ports.
    const { runtime, stack } = await withInstances(found)
    const instances = await runningInstances(runtime, stack.file, service)
    const holdings = await untilSettled(sharing, instances)
    print()
    for (const { name } of instances) printRow(stack.file, name, holdings.get(name) || sharing.idles)
    print()
    const took = colors.dim(seconds(performance.now() - startedAt))
    print(
      `${done} ${colors.bold(`${service.name} runs ${instances.length === 1 ? 'once' : `${instances.length} times`}.`)} ${took}`,
    )
  } finally {
    await sharing.close()
  }
})

/** In the order of their numbers. */
async function runningInstances(
  runtime: Runtime,
  file: ComposeFile,
  service: ComposeService,
): Promise<RunningInstance[]> {
  const statuses = await runtime.status()
  return file.services
    .filter(each => each.name === service.name || each.instanceOf === service.name)
    .flatMap(({ name }) => {
      const status = statuses.find(each => each.service === name && each.state !== 'ended')
      return status === undefined ? [] : [{ name, process: status.process }]
    })
}

function instancesIn(file: ComposeFile): Instance[] {
  return file.services.flatMap(({ name, instanceOf, environment }) =>
    instanceOf === null ? [] : [{ name, of: instanceOf, probePort: Number(environment.PROBE_PORT) }],
  )
}

async function newInstances(names: string[], { name: of }: ComposeService): Promise<Instance[]> {
  const ports = await findFreePorts(names.length)
  return names.map((name, i) => ({ name, of, probePort: ports[i]! }))
}

/** @throws {UserError} when Kafka or the database does not answer */
async function orSayWhy<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isOutage(error)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new UserError(`Who has what cannot be asked: ${reason}. \`make doctor\` looks closer.`, {
      cause: error,
    })
  }
}

function isOutage(error: unknown): boolean {
  return classifyKafkaError(error) === 'retryable' || classifyMysqlError(error) === 'unavailable'
}

async function untilSettled(sharing: Sharing, instances: RunningInstance[]): Promise<Holdings> {
  const deadline = performance.now() + settledTimeoutMs
  let problem: unknown
  while (performance.now() < deadline) {
    showProgress('the work moves …')
    try {
      const holdings = await sharing.holdings(instances)
      if (holdings !== null) return holdings
    } catch (error) {
      // Perhaps for a moment only: it is told when the time is up.
      if (!isOutage(error)) throw error
      problem = error
    } finally {
      showProgress('')
    }
    await delay(250)
  }
  const names = instances.map(({ name }) => name).join(', ')
  const reason = problem instanceof Error ? ` The last answer was: ${problem.message}.` : ''
  throw new UserError(
    `${names} run, but after ${settledTimeoutMs / 1_000} s the work is not settled among them.${reason} \`make ps\` and \`make logs SERVICE=<name>\` tell more.`,
    { cause: problem },
  )
}

function printRow({ services }: ComposeFile, name: string, holds: string): void {
  const names = services.map(service => service.name)
  const probe = `${probeUrl(services.find(service => service.name === name)!)}/metrics`
  print(
    [
      ` ${done}`,
      colorOf(name, names)(padVisible(name, nameWidth)),
      padVisible(probe, addressWidth),
      holds,
    ].join(' '),
  )
}
