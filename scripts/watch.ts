/** `make watch`: one line for every step that a record takes through the services, until Ctrl-C. */
import { runCommand, untilInterrupted } from './command.ts'
import { describeFlowEvent } from './flow/describe-flow-event.ts'
import { followFlow } from './flow/follow-flow.ts'
import { timeOf } from './flow/format-log-line.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { colorOf, colors, nameWidth, padVisible, print } from './terminal.ts'
import { UserError } from './user-error.ts'

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const running = (await runtime.status()).map(status => status.service)
  const names = stack.file.services.map(service => service.name)
  if (running.length === 0)
    throw new UserError('Nothing runs, so there is nothing to watch. `make up` starts it.')
  print(
    colors.dim(
      `Watching ${running.join(', ')}. Ctrl-C ends it. Something to see: make up, or a POST to /create or /users.`,
    ),
  )
  await followFlow(runtime, running, untilInterrupted(), (service, event) => {
    const name = colorOf(service, names)(padVisible(service, nameWidth))
    print(`${colors.dim(timeOf(Date.now()))} ${name} ${describeFlowEvent(event)}`)
  })
})
