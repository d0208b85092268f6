/**
 * `make logs SERVICE=<name>`: the newest lines of a service's log. On a terminal they are made readable and followed until
 * Ctrl-C; into a pipe or a file they go as they are, and it ends.
 */
import { runCommand, untilInterrupted } from './command.ts'
import { formatLogLine } from './flow/format-log-line.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { print } from './terminal.ts'
import { UserError } from './user-error.ts'

const lastLines = 200

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const names = stack.file.services.map(service => service.name)
  const service = process.env.SERVICE
  if (!service || !names.includes(service)) {
    const problem = service ? `There is no service "${service}".` : 'Which service?'
    throw new UserError(`${problem} Say make logs SERVICE=<one of ${names.join(', ')}>.`)
  }
  const { isTTY } = process.stdout
  const runs = (await runtime.status()).some(each => each.service === service && each.state !== 'ended')
  let isEmpty = true
  await runtime.logs(
    { services: [service], lastLines, ...(isTTY && runs ? { follow: untilInterrupted() } : {}) },
    (_service, line) => {
      isEmpty = false
      print(isTTY ? formatLogLine(line) : line)
    },
  )
  if (isEmpty) throw new UserError(`${service} has written nothing: \`make ps\` tells whether it runs.`)
})
