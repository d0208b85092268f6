/** The run's broker as a container of the official image, for machines with a Docker Engine. */
import { describeCluster, developmentDefaults } from '@kafka-pattern/local-stack'
import { GenericContainer, getContainerRuntimeClient, Wait, type StartedTestContainer } from 'testcontainers'
import { eventually } from './eventually.ts'

const image = 'apache/kafka:4.3.1'
const clientPort = 9092
const brokerPort = 19092
const startScript = '/tmp/start-kafka.sh'
const readyTimeoutMs = 60_000

export async function isDockerEngineThere(): Promise<boolean> {
  try {
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

/**
 * Starts one broker, with these properties added to or in the place of the defaults, and resolves when it answers under the address that it advertises. Removed by `stop()`, or by
 * testcontainers' reaper when this process ends without it.
 */
export async function startKafkaContainer(
  config: Record<string, string | number>,
): Promise<{ brokers: string[]; stop(): Promise<void> }> {
  // The broker must advertise a port that Docker chooses when the container starts: so the container starts waiting,
  // and the broker in it is started by a script that is written once the port is known.
  const container = await new GenericContainer(image)
    .withExposedPorts(clientPort)
    .withEntrypoint(['sh', '-c'])
    .withCommand([
      `echo waiting for the address; while [ ! -f ${startScript} ]; do sleep 0.05; done; exec sh ${startScript}`,
    ])
    .withWaitStrategy(Wait.forLogMessage('waiting for the address'))
    .start()
  try {
    const broker = { host: container.getHost(), port: container.getMappedPort(clientPort) }
    await container.copyContentToContainer([{ content: startCommand(broker, config), target: startScript }])
    await eventually(
      async () => {
        const view = await describeCluster(broker)
        if (view === null || view.controllerId < 0 || view.brokerIds.length === 0) {
          throw new Error(await lastLog(container))
        }
      },
      { what: `Kafka in a container at ${broker.host}:${broker.port}`, timeoutMs: readyTimeoutMs },
    )
    return {
      brokers: [`${broker.host}:${broker.port}`],
      async stop() {
        await container.stop({ timeout: 0 })
      },
    }
  } catch (error) {
    await container.stop({ timeout: 0 })
    throw error
  }
}

function startCommand(
  advertised: { host: string; port: number },
  config: Record<string, string | number>,
): string {
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': '1@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://:${clientPort},BROKER://:${brokerPort},CONTROLLER://:9093`,
    // The coordinators of a broker connect to itself, and the port that Docker chose is not there inside the container.
    'advertised.listeners': `PLAINTEXT://${advertised.host}:${advertised.port},BROKER://localhost:${brokerPort}`,
    'inter.broker.listener.name': 'BROKER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    ...developmentDefaults(1),
    ...config,
  }
  const settings = Object.entries(properties).map(
    ([name, value]) => `export ${environmentName(name)}='${value}'\n`,
  )
  return `${settings.join('')}exec /etc/kafka/docker/run\n`
}

/** The image's own mapping of a broker property to a variable. */
function environmentName(property: string): string {
  return `KAFKA_${property.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`
}

async function lastLog(container: StartedTestContainer): Promise<string> {
  const stream = await container.logs({ tail: 20 })
  const lines: string[] = []
  await new Promise<void>(resolve => {
    stream.on('data', (line: Buffer | string) => lines.push(String(line)))
    stream.on('end', resolve)
    setTimeout(resolve, 500)
  })
  return lines.join('')
}
