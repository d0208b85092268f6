import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { readComposeFile } from './compose-file/compose-file.ts'
import { whyNotReady } from './readiness.ts'
import { composeFilePath } from './repository.ts'

const { services } = await readComposeFile(composeFilePath, {})
const userApi = services.find(({ name }) => name === 'user-api')!

async function reasonOf(listener: RequestListener): Promise<string | null> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return whyNotReady({ ...userApi, environment: { ...userApi.environment, PROBE_PORT: String(port) } })
}

test('what a service waits for is what it says', async () => {
  const says = (answer: unknown) => reasonOf((_, response) => response.end(JSON.stringify(answer)))
  expect(await says({ waitingFor: ['kafka', 'mysql'] })).toBe('it waits for kafka, mysql')
  expect(await says({ status: 'ready' }), 'ready by now').toBeNull()
})

test('one that is frozen takes connections and gives no answer', async () => {
  expect(await reasonOf(() => {})).toBe('it gives no answer at /readyz: frozen, or too busy')
})

test('nothing is known of one that has just ended', async () => {
  expect(await reasonOf((_, response) => response.destroy())).toBeNull()
})
