/** `make ps`: what runs, where it answers, whether it is ready. */
import { runCommand } from './command.ts'
import { describeNotReady, reasonsNotReady } from './readiness.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { colorOf, colors, done, failed, nameWidth, padVisible, print } from './terminal.ts'

const stateWidth = 11
const addressWidth = 24

await runCommand(async () => {
  const { runtime, stack } = await findActiveRuntime()
  const { services } = stack.file
  const statuses = await runtime.status()
  if (statuses.length === 0) {
    print('Nothing runs. `make up` starts it.')
    return
  }
  print(colors.dim(`As ${runtime.title}:`))
  const names = services.map(service => service.name)
  const reasons = await reasonsNotReady(services, statuses)
  for (const service of services) {
    const status = statuses.find(({ service: name }) => name === service.name)
    if (status === undefined) continue
    const { PORT } = service.environment
    const port = Number(PORT ?? service.ports[0]?.hostPort)
    const why = reasons.get(service.name)
    const reason = why === undefined ? '' : `, ${describeNotReady(why)}`
    const address = PORT === undefined ? `127.0.0.1:${port}` : `http://127.0.0.1:${port}`
    print(
      [
        ` ${status.state === 'ready' ? done : failed}`,
        colorOf(service.name, names)(padVisible(service.name, nameWidth)),
        padVisible(status.state, stateWidth),
        padVisible(address, addressWidth),
        colors.dim(status.detail) + colors.yellow(reason),
      ].join(' '),
    )
  }
})
