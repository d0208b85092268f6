/**
 * docker-compose.yml as the local runtime reads it: the part of Compose's format that the file uses, interpolated, checked, typed.
 * A key that is not listed here stops with an error: what one runtime does and the other ignores would be two descriptions.
 */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { UserError } from '../user-error.ts'
import { fileOfInstances, withInstances, type Instance } from './instances.ts'
import { interpolate, variablesIn, type Variables } from './interpolate.ts'

export type ComposeFile = {
  /** the project's name; COMPOSE_PROJECT_NAME wins over the file */
  projectName: string
  /** in the order of the file */
  services: ComposeService[]
  /** every profile that a service names */
  profiles: string[]
  /** for Docker Compose, what `make scale` added to the file; null: nothing */
  instancesFile: string | null
}

export type ComposeService = {
  name: string
  /** the service of which `make scale` made it one more; null: it stands in the file */
  instanceOf: string | null
  profiles: string[]
  image: string | null
  /** the argument SERVICE of its build: the folder under services/ */
  program: string | null
  environment: Record<string, string>
  ports: PublishedPort[]
  dependsOn: Dependency[]
  stopGracePeriodMs: number
}

export type Dependency = {
  service: string
  condition: 'service_started' | 'service_healthy'
  /** false: only if it is started, too */
  required: boolean
}

export type PublishedPort = {
  hostPort: number
  containerPort: number
  /** the variable of .env that changes the host port; null when the file has a fixed number */
  variable: string | null
}

const duration = z.string().regex(/^(\d+(ms|s|m))+$/)
const textOrNumber = z.union([z.string(), z.number().transform(String)])

/** Says something about a container only; a plain process neither needs nor has it. */
const containerOnly = z.unknown().optional()

const serviceSchema = z.strictObject({
  profiles: z.array(z.string()).default([]),
  image: z.string().optional(),
  build: z
    .strictObject({ context: z.literal('.'), args: z.strictObject({ SERVICE: z.string() }) })
    .optional(),
  environment: z.record(z.string(), textOrNumber.nullable()).default({}),
  ports: z.array(z.string()).default([]),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({
        condition: z.enum(['service_started', 'service_healthy']),
        required: z.boolean().default(true),
      }),
    )
    .default({}),
  stop_grace_period: duration.default('10s'),
  // The local runtime has its own check for each kind of service: Kafka's metadata, a Node service's /readyz.
  healthcheck: containerOnly,
  // A process that ended is shown by `make ps`; nothing restarts it.
  restart: containerOnly,
  cap_drop: containerOnly,
  // Where inside a container a server listens.
  command: containerOnly,
  init: containerOnly,
  labels: containerOnly,
  read_only: containerOnly,
  security_opt: containerOnly,
  tmpfs: containerOnly,
  user: containerOnly,
  volumes: containerOnly,
})

const fileSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()).default({}),
})

export async function readComposeFile(
  path: string,
  variables: Variables,
  instances: Instance[] = [],
): Promise<ComposeFile> {
  return parseComposeFile(await readFile(path, 'utf8'), variables, instances)
}

/**
 * With these instances, each behind its service.
 * @throws {UserError} naming every key that the local runtime does not know, and every value that is not what the format asks for
 */
export function parseComposeFile(
  source: string,
  variables: Variables,
  instances: Instance[] = [],
): ComposeFile {
  // The file is ours, so its anchors may be used as often as it likes.
  const described: unknown = parse(source, { merge: true, maxAliasCount: -1 })
  const raw = withInstances(described, instances)
  const parsed = fileSchema.safeParse(withoutExtensions(interpolateValues(raw, variables)))
  if (!parsed.success) {
    throw new UserError(
      `docker-compose.yml says something that the local runtime does not understand:\n${z.prettifyError(parsed.error)}`,
    )
  }
  const { name, services } = parsed.data
  const list = Object.entries(services).map(([serviceName, service]) => ({
    name: serviceName,
    instanceOf: instances.find(instance => instance.name === serviceName)?.of ?? null,
    profiles: service.profiles,
    image: service.image ?? null,
    program: service.build?.args.SERVICE ?? null,
    environment: resolveEnvironment(service.environment, variables),
    ports: service.ports.map((port, index) => parsePort(serviceName, port, rawPort(raw, serviceName, index))),
    dependsOn: Object.entries(service.depends_on).map(([dependency, { condition, required }]) => {
      if (services[dependency] === undefined) {
        throw new UserError(
          `docker-compose.yml: ${serviceName} depends on ${dependency}, which is no service.`,
        )
      }
      return { service: dependency, condition, required }
    }),
    stopGracePeriodMs: toMs(service.stop_grace_period),
  }))
  return {
    projectName: variables.COMPOSE_PROJECT_NAME || name,
    services: list,
    profiles: [...new Set(list.flatMap(service => service.profiles))],
    instancesFile: instances.length === 0 ? null : fileOfInstances(described, instances),
  }
}

/**
 * What runs with these profiles, in an order in which every service comes after those it depends on.
 * @throws {UserError} when a profile is not in the file, or when dependencies form a circle
 */
export function servicesOf(file: ComposeFile, ...profiles: string[]): ComposeService[] {
  for (const profile of profiles) {
    if (file.profiles.includes(profile)) continue
    throw new UserError(
      `There is no profile "${profile}" in docker-compose.yml; there is ${file.profiles.join(', ')}.`,
    )
  }
  const wanted = file.services.filter(
    s => s.profiles.length === 0 || s.profiles.some(profile => profiles.includes(profile)),
  )
  const ordered: ComposeService[] = []
  const visit = (service: ComposeService, path: string[]) => {
    if (ordered.includes(service)) return
    if (path.includes(service.name)) {
      throw new UserError(`docker-compose.yml: ${[...path, service.name].join(' depends on ')}.`)
    }
    for (const dependency of service.dependsOn) {
      const needed = wanted.find(candidate => candidate.name === dependency.service)
      if (needed === undefined && !dependency.required) continue
      if (needed === undefined) {
        throw new UserError(
          `docker-compose.yml: ${service.name} depends on ${dependency.service}, which is not in profile ${profiles.join(' or ')}.`,
        )
      }
      visit(needed, [...path, service.name])
    }
    ordered.push(service)
  }
  for (const service of wanted) visit(service, [])
  return ordered
}

/** Compose interpolates values, never keys. */
function interpolateValues(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return interpolate(value, variables)
  if (Array.isArray(value)) return value.map(item => interpolateValues(item, variables))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolateValues(item, variables)]),
  )
}

/** `x-…` at the top holds what the services share by YAML anchors. */
function withoutExtensions(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')))
}

/** A key without a value hands the variable of the same name on, if it is set. */
function resolveEnvironment(
  environment: Record<string, string | null>,
  variables: Variables,
): Record<string, string> {
  const resolved: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    const effective = value ?? variables[name]
    if (effective !== undefined) resolved[name] = effective
  }
  return resolved
}

function parsePort(service: string, published: string, raw: string): PublishedPort {
  const match = /^127\.0\.0\.1:(\d+):(\d+)$/.exec(published)
  const hostPort = Number(match?.[1])
  if (match === null || hostPort > 65_535 || hostPort === 0) {
    const variable = variablesIn(raw)[0]
    throw new UserError(
      variable === undefined
        ? `docker-compose.yml: port "${published}" of ${service} must be written as 127.0.0.1:<host port>:<container port>.`
        : `${variable} must be a port number from 1 to 65535, but is "${published.split(':')[1]}": change it in the environment or in .env.`,
    )
  }
  return { hostPort, containerPort: Number(match[2]), variable: variablesIn(raw)[0] ?? null }
}

/** As the file has it, with its variables; `raw` has passed the schema. */
function rawPort(raw: unknown, service: string, index: number): string {
  return z
    .object({ services: z.record(z.string(), z.object({ ports: z.array(z.string()).default([]) })) })
    .parse(raw).services[service]!.ports[index]!
}

function toMs(written: string): number {
  const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000 }
  const parts = [...written.matchAll(/(\d+)(ms|s|m)/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit!]!, 0)
}
