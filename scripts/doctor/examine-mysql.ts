/** Whether the database is what the services need: it answers, its binary log holds whole rows, infra/mysql is loaded. */
import { classifyMysqlError, type Mysql } from '@kafka-pattern/mysql-config'
import { fault, fine, note, type Finding } from './finding.ts'

/** `mysql` is a client of the user user_registry, `database` where it looks. */
export async function examineMysql(mysql: Mysql, database: string): Promise<Finding[]> {
  try {
    const [server] = await mysql.rows<{ version: string; log_bin: string; binlog_format: string }>(
      `SELECT VERSION() AS version, IF(@@log_bin, 'ON', 'OFF') AS log_bin, @@binlog_format AS binlog_format`,
    )
    const components = await mysql.rows<{ component: string; version: number }>(
      'SELECT component, version FROM schema_versions ORDER BY component',
    )
    return [fine(`answers: ${server!.version}`), judgeBinaryLog(server!), judgeSchema(database, components)]
  } catch (error) {
    return [judgeFailure(database, error)]
  }
}

export function judgeBinaryLog({
  log_bin,
  binlog_format,
}: {
  log_bin: string
  binlog_format: string
}): Finding {
  if (log_bin === 'ON' && binlog_format === 'ROW')
    return fine('its binary log holds whole rows, as Debezium needs')
  return note(
    `its binary log is ${log_bin === 'ON' ? `in format ${binlog_format}` : 'off'}: Debezium needs log_bin and binlog_format=ROW`,
  )
}

export function judgeSchema(database: string, components: { component: string; version: number }[]): Finding {
  if (components.length === 0) {
    return fault(
      `no tables of this project in ${database}`,
      '`make clean` and another start load infra/mysql.',
    )
  }
  const list = components.map(({ component, version }) => `${component} (version ${version})`)
  return fine(`${database} has the tables of ${list.join(', ')}`)
}

function judgeFailure(database: string, error: unknown): Finding {
  const reason = error instanceof Error ? error.message : String(error)
  return classifyMysqlError(error) === 'unavailable'
    ? fault(
        `cannot be reached: ${reason}`,
        '`make logs SERVICE=mysql` may say why; MYSQL_HOST names another one.',
      )
    : fault(
        `answers, but user_registry cannot use ${database}: ${reason}`,
        'Its tables and users are those of infra/mysql; `make clean` and another start load them.',
      )
}
