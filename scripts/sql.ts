/** `make sql`: the database's own client, as root, on this terminal or on what is piped into it; with QUERY it runs that and ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { runCommand } from './command.ts'
import { isMysql } from './local-runtime/mysql-server.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const mysql = stack.file.services.find(isMysql)
  const state = (await runtime.status()).find(({ service }) => service === mysql?.name)?.state ?? 'ended'
  // The client itself would wait for ever for the greeting of one that hangs.
  if (state === 'not ready')
    throw new UserError('The database runs, but gives no answer: `make doctor` says what can be done.')
  const client = mysql === undefined || state === 'ended' ? null : await runtime.sqlClient(mysql)
  if (client === null)
    throw new UserError('The database does not run: `make cdc-up` or `make outbox-up` starts it.')
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
