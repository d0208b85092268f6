/** `make sql`: the database's own client, as root, on this terminal or on what is piped into it; with QUERY it runs that and ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { classifyMysqlError, type Mysql } from '@kafka-pattern/mysql-config'
import { runCommand } from './command.ts'
import { isMysql } from './local-runtime/mysql-server.ts'
import { quietMysql } from './mysql-client.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const mysql = stack.file.services.find(isMysql)
  const client = mysql === undefined ? null : await runtime.sqlClient(mysql)
  if (client === null)
    throw new UserError('The database does not run: `make cdc-up` or `make outbox-up` starts it.')
  await requireAnswer(quietMysql(stack, runtime.kind, 'user_registry'))
  const query = process.env.QUERY
  const child = spawn(client.command, [...client.parameters, ...(query ? [`--execute=${query}`] : [])], {
    stdio: 'inherit',
    env: { ...process.env, ...client.env },
  })
  // The terminal sends Ctrl-C to both; what it ends, the statement or itself, is for the client to say.
  process.on('SIGINT', () => {})
  const [code] = await once(child, 'close')
  return typeof code === 'number' ? code : 1
})

/** The client itself would wait for ever for the greeting of a server that hangs. Whatever else goes wrong is an answer. */
async function requireAnswer(mysql: Mysql): Promise<void> {
  try {
    await mysql.rows('SELECT 1')
  } catch (error) {
    if (classifyMysqlError(error) === 'unavailable')
      throw new UserError('The database runs, but gives no answer: `make doctor` says what can be done.')
  } finally {
    await mysql.close()
  }
}
