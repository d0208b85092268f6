/**
 * More than one of a service: what `make scale` adds to docker-compose.yml. One transformation of the file as it was parsed, before its
 * variables are filled in, for both runtimes: the local runtime reads the whole, Docker Compose gets the instances as a second file.
 */
import { z } from 'zod'

export type Instance = {
  /** "batch-consumer-2" */
  name: string
  /** the service of which it is one more */
  of: string
  /** of this machine, and the same inside a container */
  probePort: number
}

/** By it an instance in a container is known again. */
export const probePortLabel = 'kafka-pattern.probe-port'

const serviceSchema = z.looseObject({ environment: z.record(z.string(), z.unknown()).default({}) })
const fileSchema = z.looseObject({ services: z.record(z.string(), serviceSchema) })

/** The first is the service itself. */
export function instanceName(service: string, number: number): string {
  return number === 1 ? service : `${service}-${number}`
}

/** Which of these services is meant by the name of an instance; null when it is no such name. */
export function serviceOfInstance(name: string, services: string[]): string | null {
  const [, service = '', number = ''] = /^(.+)-(\d+)$/.exec(name) ?? []
  return services.includes(service) && Number(number) > 1 ? service : null
}

/** The parsed file with these instances, each behind its service. */
export function withInstances(raw: unknown, instances: Instance[]): unknown {
  if (instances.length === 0) return raw
  const file = fileSchema.parse(raw)
  const inOrder = instances.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  const services = Object.entries(file.services).flatMap(([name, service]) => [
    [name, service] as const,
    ...inOrder
      .filter(instance => instance.of === name)
      .map(instance => [instance.name, oneMore(service, instance)] as const),
  ])
  return { ...file, services: Object.fromEntries(services) }
}

/** The instances alone, as a file that Docker Compose reads beside docker-compose.yml. JSON is YAML. */
export function fileOfInstances(raw: unknown, instances: Instance[]): string {
  const { services } = fileSchema.parse(withInstances(raw, instances))
  return JSON.stringify({ services: Object.fromEntries(instances.map(({ name }) => [name, services[name]])) })
}

function oneMore(service: z.output<typeof serviceSchema>, { name, probePort }: Instance): unknown {
  // Not a static member of its group: such a one keeps its partitions when it stops, so that it finds them again when it comes back.
  // An instance that goes when there is less to do does not come back, and its partitions would wait for the session timeout.
  const { KAFKA_GROUP_INSTANCE_ID: _, ...environment } = service.environment
  return {
    ...service,
    environment: { ...environment, KAFKA_CLUSTER_NAME: name, PROBE_PORT: String(probePort) },
    ports: [`127.0.0.1:${probePort}:${probePort}`],
    labels: { [probePortLabel]: String(probePort) },
  }
}
