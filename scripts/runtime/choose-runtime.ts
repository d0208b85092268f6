/** Containers when a Docker Engine with Compose answers, local processes otherwise; RUNTIME decides where it is set. */
import { join, resolve } from 'node:path'
import { readComposeFile } from '../compose-file/compose-file.ts'
import type { Instance } from '../compose-file/instances.ts'
import type { Variables } from '../compose-file/interpolate.ts'
import { readVariables } from '../compose-file/variables.ts'
import { createLocalRuntime, findLocalInstances, localVariables } from '../local-runtime/local-runtime.ts'
import { composeFilePath, repositoryDir } from '../repository.ts'
import { UserError } from '../user-error.ts'
import { brokerCountOf, runningBrokers } from './broker-count.ts'
import { containerVariables, createContainerRuntime, findContainerInstances } from './container-runtime.ts'
import { findDocker, type Docker } from './docker.ts'
import type { Runtime, Stack } from './runtime.ts'

export type ChosenRuntime = { runtime: Runtime; stack: Stack; reason: string }

/** The runtime that `make up` starts things with. `overrides` win over `.env` and the environment. */
export async function chooseRuntime(overrides: Variables = {}): Promise<ChosenRuntime> {
  const variables = { ...(await readVariables(repositoryDir, process.env)), ...overrides }
  const forced = forcedRuntime(variables)
  if (forced === 'local') return open('local', variables, 'RUNTIME=local')
  const docker = await findDocker()
  if (forced === 'containers') {
    requireDocker(docker)
    return open('containers', variables, 'RUNTIME=containers')
  }
  return docker.usable
    ? open('containers', variables, `Docker Engine ${docker.engine} with Compose ${docker.compose} answers`)
    : open('local', variables, docker.reason)
}

/**
 * The runtime in which something runs now, with as many brokers as run; without RUNTIME and with nothing running, the one that
 * `make up` would choose.
 */
export async function findActiveRuntime(): Promise<ChosenRuntime> {
  const active = await runtimeInUse()
  const brokers = await runningBrokers(active.runtime, active.stack)
  if (brokers === null || brokers === active.stack.brokers) return active
  const variables = { ...(await readVariables(repositoryDir, process.env)), BROKERS: String(brokers) }
  return open(active.runtime.kind, variables, active.reason)
}

async function runtimeInUse(): Promise<ChosenRuntime> {
  const variables = await readVariables(repositoryDir, process.env)
  if (forcedRuntime(variables) === null) {
    const local = await open('local', variables, 'the stack runs as local processes')
    if ((await local.runtime.started()).length > 0) return local
  }
  return chooseRuntime()
}

/** Every runtime that may have something to stop: both, unless RUNTIME names one. */
export async function usableRuntimes(): Promise<ChosenRuntime[]> {
  const variables = await readVariables(repositoryDir, process.env)
  const forced = forcedRuntime(variables)
  const docker = forced === 'local' ? null : await findDocker()
  if (forced === 'containers') requireDocker(docker!)
  const runtimes: ChosenRuntime[] = []
  if (forced !== 'containers') runtimes.push(await open('local', variables, ''))
  if (docker?.usable === true) runtimes.push(await open('containers', variables, ''))
  return runtimes
}

function forcedRuntime(variables: Variables): Runtime['kind'] | null {
  const { RUNTIME } = variables
  if (RUNTIME === undefined || RUNTIME === '') return null
  if (RUNTIME === 'local' || RUNTIME === 'containers') return RUNTIME
  throw new UserError(`RUNTIME must be local or containers, but is "${RUNTIME}".`)
}

function requireDocker(docker: Docker): void {
  if (docker.usable) return
  throw new UserError(
    `RUNTIME=containers needs a Docker Engine with Compose, but ${docker.reason}: start it, or leave RUNTIME out to run local processes.`,
  )
}

/** The same with these instances in the place of those that were found; without them, with those that are found now. */
export function withInstances(
  { runtime, stack, reason }: ChosenRuntime,
  instances?: Instance[],
): Promise<ChosenRuntime> {
  return open(runtime.kind, stack.variables, reason, instances)
}

async function open(
  kind: Runtime['kind'],
  variables: Variables,
  reason: string,
  given?: Instance[],
): Promise<ChosenRuntime> {
  const effective = kind === 'local' ? localVariables(variables) : containerVariables(variables)
  const stateDir = variables.LOCAL_STACK_DIR
    ? resolve(variables.LOCAL_STACK_DIR)
    : join(repositoryDir, '.local-stack')
  const described = await readComposeFile(composeFilePath, effective)
  const find = () =>
    kind === 'local' ? findLocalInstances(stateDir, described) : findContainerInstances(described)
  const instances = given ?? (await find())
  const file =
    instances.length === 0 ? described : await readComposeFile(composeFilePath, effective, instances)
  const brokers = brokerCountOf(variables)
  const stack: Stack = { repositoryDir, file, brokers, variables: effective, stateDir }
  return {
    stack,
    reason,
    runtime: kind === 'local' ? createLocalRuntime(stack) : createContainerRuntime(stack),
  }
}
