import { createMysql, mysqlSettings, type Mysql } from '../../../packages/mysql-config/src/index.ts'
import { createLogger } from '../../../packages/service-runtime/src/index.ts'

/** The database that the environment names, for a process of the benchmark. */
export function rootMysql(poolSize: number): Mysql {
  const { MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE } = process.env
  return createMysql(
    {
      MYSQL_HOST: mysqlSettings.MYSQL_HOST.parse(MYSQL_HOST),
      MYSQL_PORT: mysqlSettings.MYSQL_PORT.parse(MYSQL_PORT),
      MYSQL_USER: mysqlSettings.MYSQL_USER.parse(MYSQL_USER),
      MYSQL_PASSWORD: mysqlSettings.MYSQL_PASSWORD.parse(MYSQL_PASSWORD),
      MYSQL_DATABASE: mysqlSettings.MYSQL_DATABASE.parse(MYSQL_DATABASE),
      MYSQL_TLS: false,
      MYSQL_POOL_SIZE: poolSize,
    },
    createLogger({ name: 'bench', level: 'warn' }),
  )
}
