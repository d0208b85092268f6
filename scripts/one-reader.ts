/**
 * cdc-poller and Debezium write to the same topic, so do outbox-relay and Debezium: whoever starts takes the place of the other.
 * Each goes on from its own position, so what the other one had published meanwhile comes again, and the sinks refuse it by version.
 */
import { join } from 'node:path'
import { connectorClasses, registerConnector } from './connect/register-connector.ts'
import { removeConnector } from './connect/remove-connector.ts'
import { isConnect } from './local-runtime/connect-server.ts'
import { quietMysql } from './mysql-client.ts'
import { repositoryDir } from './repository.ts'
import type { Runtime, Stack } from './runtime/runtime.ts'
import { nameWidth, padVisible, print, step } from './terminal.ts'
import { UserError } from './user-error.ts'

/** The service, and the connector of infra/connect that can stand in its place. */
const alternatives = [
  { service: 'cdc-poller', connector: 'cdc' },
  { service: 'outbox-relay', connector: 'outbox' },
]

/** Before the profile starts: ends the connector that would write to the same topic. */
export async function stopReplaced(runtime: Runtime, stack: Stack, profile: string): Promise<void> {
  const connectUrl = await findConnect(runtime, stack)
  for (const { service, connector } of alternatives) {
    if (profile === connector && connectUrl !== null) await takePlaceOf(connector, connectUrl, service)
  }
}

/**
 * When the profile runs: registers its connector, in the place of the service. Not before: a service that runs is not given up for
 * a Debezium that cannot start.
 * @throws {UserError} when it has one and Connect is not ready
 */
export async function startConnector(runtime: Runtime, stack: Stack, profile: string): Promise<void> {
  const connectUrl = await findConnect(runtime, stack)
  if (connectUrl === null) {
    if (!alternatives.some(({ connector }) => profile === `${connector}-debezium`)) return
    throw new UserError(
      `Kafka Connect is not ready, so nothing reads the database: \`make logs SERVICE=connect\` may say why. \`make down\` and \`make ${profile}-up\` start it anew.`,
    )
  }
  const running = (await runtime.status())
    .filter(({ state }) => state !== 'ended')
    .map(({ service }) => service)
  for (const { service, connector } of alternatives) {
    if (profile === `${connector}-debezium`) {
      await stopService(runtime, stack, service)
      await register(runtime, stack, connectUrl, connector)
    }
    // Connect remembers connectors: what ran before its last stop runs again.
    else if (running.includes(service)) await takePlaceOf(connector, connectUrl, service)
  }
}

/** With its instances. */
async function stopService(runtime: Runtime, stack: Stack, service: string): Promise<void> {
  const all = stack.file.services.filter(each => (each.instanceOf ?? each.name) === service)
  for (const { service: name } of await runtime.stop(all.map(each => each.name))) {
    print(`  ${step} ${padVisible(name, nameWidth)} stopped: Debezium takes its place`)
  }
}

/** Where Connect answers, null when it does not run. */
async function findConnect(runtime: Runtime, stack: Stack): Promise<string | null> {
  const ready = (await runtime.status()).filter(({ state }) => state === 'ready').map(s => s.service)
  const connect = stack.file.services.find(service => isConnect(service) && ready.includes(service.name))
  return connect === undefined ? null : `http://127.0.0.1:${connect.ports[0]?.hostPort}`
}

async function register(
  runtime: Runtime,
  stack: Stack,
  connectUrl: string,
  connector: string,
): Promise<void> {
  const connect = stack.file.services.find(isConnect)!
  const { BOOTSTRAP_SERVERS = '', MYSQL_USER = '', ...environment } = connect.environment
  const mysql = quietMysql(stack, runtime.kind, MYSQL_USER)
  try {
    const [server] = await mysql.rows<{ version: string }>('SELECT VERSION() AS version')
    await registerConnector({
      connectUrl,
      registrationFile: join(repositoryDir, 'infra', 'connect', `${connector}.json`),
      variables: {
        ...environment,
        MYSQL_USER,
        KAFKA_BROKERS: BOOTSTRAP_SERVERS,
        CONNECTOR_CLASS: connectorClasses[server?.version.includes('MariaDB') ? 'mariadb' : 'mysql'],
      },
      mysql,
      progress: line => print(`  ${step} ${padVisible(connect.name, nameWidth)} ${line}`),
    })
  } finally {
    await mysql.close()
  }
}

/** Resolves when the connector has written its last record. */
async function takePlaceOf(connector: string, connectUrl: string, service: string): Promise<void> {
  if (!(await removeConnector(connectUrl, connector))) return
  print(
    `  ${step} ${padVisible('connect', nameWidth)} connector ${connector} removed: ${service} takes its place`,
  )
}
