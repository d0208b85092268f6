/** docker-compose.yml is one description only if the local runtime reads in it what Compose reads. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readComposeFile, type ComposeFile } from '../compose-file/compose-file.ts'
import { variablesIn } from '../compose-file/interpolate.ts'
import { composeFilePath } from '../repository.ts'
import { brokerCountOf, brokersOf } from '../runtime/broker-count.ts'

type ComposeConfig = {
  name: string
  services: Record<
    string,
    {
      image: string
      profiles: string[]
      environment: Record<string, string>
      ports: { host_ip: string; published: string; target: number }[]
      depends_on?: Record<string, { condition: string; required: boolean }>
      build?: { args: { SERVICE: string } }
    }
  >
}

const variables = { KAFKA_PORT: '9192', BATCH_SIZE: '7', LOG_LEVEL: '', COMPOSE_PROJECT_NAME: 'other' }

/** What Compose makes of the file, which takes no engine; null on a machine without it. */
async function composeConfig({ instancesFile }: ComposeFile): Promise<ComposeConfig | null> {
  const files = ['--file', composeFilePath, ...(instancesFile === null ? [] : ['--file', '-'])]
  const running = promisify(execFile)(
    'docker',
    ['compose', ...files, '--profile', '*', 'config', '--format', 'json'],
    { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...variables } },
  )
  running.child.stdin?.on('error', () => {
    // Its exit code tells why it read nothing.
  })
  running.child.stdin?.end(instancesFile ?? '')
  try {
    return JSON.parse((await running).stdout)
  } catch (error) {
    // Without docker or its Compose plugin there is nothing to compare with.
    if (error instanceof Error && /ENOENT|is not a docker command|unknown/.test(error.message)) return null
    throw error
  }
}

const alone = await readComposeFile(composeFilePath, variables)
const scaled = await readComposeFile(composeFilePath, variables, [
  { name: 'batch-consumer-2', of: 'batch-consumer', probePort: 40_002 },
  { name: 'outbox-relay-2', of: 'outbox-relay', probePort: 40_003 },
])
const cases: [string, ComposeFile, ComposeConfig][] = []
for (const [what, file] of [
  ['the file', alone],
  ['with instances', scaled],
] as const) {
  const config = await composeConfig(file)
  // No test where there is no Compose to compare with.
  if (config !== null) cases.push([what, file, config])
}

test.each(cases)('the local runtime reads what Compose reads: %s', (_what, file, compose) => {
  const read = {
    name: file.projectName,
    services: Object.fromEntries(
      file.services.map(service => [
        service.name,
        {
          image: service.image,
          profiles: service.profiles,
          environment: service.environment,
          ports: service.ports.map(port => ['127.0.0.1', port.hostPort, port.containerPort]),
          dependsOn: service.dependsOn.map(({ service: name, ...how }) => [name, how]),
          program: service.program,
        },
      ]),
    ),
  }
  const expected = {
    name: compose.name,
    services: Object.fromEntries(
      Object.entries(compose.services).map(([name, service]) => [
        name,
        {
          image: service.image,
          profiles: service.profiles,
          environment: service.environment,
          ports: service.ports.map(port => [port.host_ip, Number(port.published), port.target]),
          dependsOn: Object.entries(service.depends_on ?? {}),
          program: service.build?.args.SERVICE ?? null,
        },
      ]),
    ),
  }
  expect(read).toEqual(expected)
})

test.each(['1', '3'])(
  'with BROKERS=%s every port of this machine is another one, and a variable moves it',
  async BROKERS => {
    const file = await readComposeFile(composeFilePath, {})
    const otherBrokers = brokersOf({ file, brokers: brokerCountOf({ BROKERS }) === 1 ? 3 : 1 })
    const ports = file.services
      .filter(service => !otherBrokers.includes(service))
      .flatMap(service => service.ports)
    expect(new Set(ports.map(port => port.hostPort)).size).toBe(ports.length)
    expect(new Set(ports.map(port => port.variable)).size).toBe(ports.length)
    expect(ports.filter(port => port.variable === null)).toEqual([])
  },
)

test('.env.example names every variable of docker-compose.yml, and no other of its own', async () => {
  const source = await readFile(composeFilePath, 'utf8')
  const example = await readFile(composeFilePath.replace('docker-compose.yml', '.env.example'), 'utf8')
  const named = [...example.matchAll(/^#([A-Z][A-Z0-9_]*)=/gm)].map(match => match[1]!)
  const ofTheCommands = ['RUNTIME', 'BROKERS', 'LOCAL_STACK_DIR', 'COMPOSE_PROJECT_NAME']
  const used = variablesIn(source.replaceAll(/^\s*#.*$/gm, ''))
  expect(named.toSorted()).toEqual([...used, ...ofTheCommands].toSorted())
})
