/** A service without any work, for service.integration.test.ts: what happens to it is chosen by the environment. */
import { createServer } from 'node:http'
import { z } from 'zod'
import {
  createLogger,
  createService,
  describeListenError,
  loadSettings,
  runtimeSettings,
  settingsTypes,
} from './index.ts'

const name = 'service-under-test'
const settings = loadSettings(
  z.object({
    ...runtimeSettings,
    START: z
      .enum(['works', 'fails', 'fails with a code', 'waits for a broker', 'waits for a closer'])
      .default('works'),
    READY: z.enum(['at once', 'at SIGHUP']).default('at once'),
    CLOSE: z.enum(['works', 'fails', 'waits for SIGHUP']).default('works'),
    HTTP_PORT: settingsTypes.port.optional(),
    API_TOKEN: z.string().max(5).optional(),
  }),
  { name },
)
const logger = createLogger({ name, level: settings.LOG_LEVEL })
const service = createService({ name, settings, logger })

let ready = settings.READY === 'at once'
const hangup = new Promise<void>(resolve => {
  process.on('SIGHUP', () => {
    ready = true
    resolve()
  })
})
service.readyWhen('the broker', () => ready)

// So that a test can make it fail from outside.
process.on('SIGUSR2', () => void Promise.reject(new Error('nobody awaited this')))
process.on('SIGPIPE', () => {
  throw new Error('thrown out of an event')
})

const closer = Promise.withResolvers<void>()

await service.run(async () => {
  service.onStop('the first', () => {
    logger.info('the first is closed')
    closer.resolve()
  })
  service.onStop('the second', async () => {
    logger.info('the second is closing')
    if (settings.CLOSE === 'waits for SIGHUP') await hangup
    if (settings.CLOSE === 'fails') throw new Error('the second cannot be closed')
    logger.info('the second is closed')
  })
  if (settings.HTTP_PORT !== undefined) await listen(settings.HTTP_PORT)
  switch (settings.START) {
    case 'works':
      return
    case 'fails with a code':
      throw Object.assign(new Error('the table is missing: create it'), { exitCode: 78 })
    case 'fails':
      throw new Error('start failed', { cause: new Error('the reason') })
    case 'waits for a broker':
      await new Promise((_, reject) => {
        service.stopping.addEventListener('abort', () => reject(service.stopping.reason))
      })
      return
    case 'waits for a closer':
      await closer.promise
      // Longer than closing all that is registered by now.
      await new Promise(resolve => setTimeout(resolve, 100))
      service.onStop('the late one', () => logger.info('the late one is closed'))
  }
})
logger.info('run is over')

async function listen(port: number): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', error =>
      reject(describeListenError(error, { setting: 'HTTP_PORT', host: '127.0.0.1', port })),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
}
