import { createMysql, type Mysql } from '@kafka-pattern/mysql-config'
import { pino } from 'pino'
import type { Runtime, Stack } from './runtime/runtime.ts'
import { mysqlFromHere } from './stack-addresses.ts'

/** A client for the commands, as one of the users of infra/mysql, whose passwords are their names. Quiet: the commands say what matters. */
export function quietMysql(stack: Stack, kind: Runtime['kind'], user: string): Mysql {
  const { host, port, database } = mysqlFromHere(stack, kind)
  return createMysql(
    {
      MYSQL_HOST: host,
      MYSQL_PORT: port,
      MYSQL_USER: user,
      MYSQL_PASSWORD: user,
      MYSQL_DATABASE: database,
      MYSQL_TLS: false,
      MYSQL_POOL_SIZE: 4,
    },
    pino({ level: 'silent' }),
  )
}
