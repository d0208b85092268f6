/** `make ps`: what runs, where it answers, whether it is ready. */
import { z } from 'zod'
import { runCommand } from './command.ts'
import { findActiveRuntime } from './runtime/choose-runtime.ts'
import { colorOf, colors, done, failed, nameWidth, padVisible, print } from './terminal.ts'

const stateWidth = 11
const addressWidth = 24

const Readiness = z.object({ waitingFor: z.array(z.string()).default([]) })

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
  for (const service of services) {
    const status = statuses.find(({ service: name }) => name === service.name)
    if (status === undefined) continue
    const { PORT } = service.environment
    const port = Number(PORT ?? service.ports[0]?.hostPort)
    const waits = status.state === 'not ready' ? await describeWaiting(service.environment.PROBE_PORT) : ''
    const address = PORT === undefined ? `127.0.0.1:${port}` : `http://127.0.0.1:${port}`
    print(
      [
        ` ${status.state === 'ready' ? done : failed}`,
        colorOf(service.name, names)(padVisible(service.name, nameWidth)),
        padVisible(status.state, stateWidth),
        padVisible(address, addressWidth),
        colors.dim(status.detail) + waits,
      ].join(' '),
    )
  }
})

/** ", waits for MySQL, lanes", as the service itself says at /readyz; '' when it does not answer. */
async function describeWaiting(probePort: string | undefined): Promise<string> {
  if (probePort === undefined) return ''
  try {
    const answer = await fetch(`http://127.0.0.1:${probePort}/readyz`, { signal: AbortSignal.timeout(2_000) })
    const { waitingFor } = Readiness.parse(await answer.json())
    return waitingFor.length === 0 ? '' : colors.yellow(`, waits for ${waitingFor.join(', ')}`)
  } catch {
    // It may have ended just now. That it is not ready is said all the same.
    return ''
  }
}
