/** `make ps`: what runs, where it answers, whether it is ready. */
import { runCommand } from './command.ts'
import { describeNotReady, whyNotReady } from './readiness.ts'
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
  // All at once: one that hangs takes seconds to be given up.
  const shown = await Promise.all(
    services.map(async service => {
      const status = statuses.find(({ service: name }) => name === service.name)
      return { service, status, why: status?.state === 'not ready' ? await whyNotReady(service) : null }
    }),
  )
  for (const { service, status, why } of shown) {
    if (status === undefined) continue
    const { PORT } = service.environment
    const port = Number(PORT ?? service.ports[0]?.hostPort)
    const reason = why === null ? '' : `, ${describeNotReady(why)}`
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
