/** Where the stack's services answer on this machine, as docker-compose.yml says. */
import type { ComposeService } from './compose-file/compose-file.ts'
import { portOf } from './local-runtime/image-server.ts'
import { isMysql } from './local-runtime/mysql-server.ts'
import { brokersOf } from './runtime/broker-count.ts'
import type { Runtime, Stack } from './runtime/runtime.ts'
import { UserError } from './user-error.ts'

/** Brokers as seen from here: containers know them by names that mean nothing outside. */
export function brokersFromHere(stack: Stack, kind: Runtime['kind']): string {
  const addresses = brokersOf(stack).map(broker => `127.0.0.1:${portOf(broker)}`)
  const { KAFKA_BROKERS } = stack.variables
  const hosts = KAFKA_BROKERS?.split(',').map(address => address.trim().replace(/:\d+$/, '')) ?? []
  return KAFKA_BROKERS && areReachedFromHere(hosts, stack, kind) ? KAFKA_BROKERS : addresses.join(',')
}

/** The database as seen from here. */
export function mysqlFromHere(
  stack: Stack,
  kind: Runtime['kind'],
): { host: string; port: number; database: string } {
  const mysql = stack.file.services.find(isMysql)
  const port = mysql?.ports[0]?.hostPort
  const database = mysql?.environment.MYSQL_DATABASE
  if (port === undefined || database === undefined) {
    throw new UserError('docker-compose.yml publishes no port of MySQL, or names no MYSQL_DATABASE.')
  }
  const { MYSQL_HOST } = stack.variables
  const isElsewhere = MYSQL_HOST && areReachedFromHere([MYSQL_HOST], stack, kind)
  return { host: isElsewhere ? MYSQL_HOST : '127.0.0.1', port, database }
}

/** The names of its services mean something to containers only. */
function areReachedFromHere(hosts: string[], { file }: Stack, kind: Runtime['kind']): boolean {
  return kind === 'local' || !hosts.some(host => file.services.some(({ name }) => name === host))
}

export function baseUrl(service: ComposeService): string {
  return `http://127.0.0.1:${service.environment.PORT}`
}

export function probeUrl(service: ComposeService): string {
  return `http://127.0.0.1:${service.environment.PROBE_PORT}`
}
