import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { readComposeFile } from './compose-file/compose-file.ts'
import { whyNotReady, type NotReady } from './readiness.ts'
import { composeFilePath } from './repository.ts'

const { services } = await readComposeFile(composeFilePath, {})
const userApi = services.find(({ name }) => name === 'user-api')!

async function reasonOf(listener: RequestListener): Promise<NotReady | null> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('the server has no port')
  const environment = { ...userApi.environment, PROBE_PORT: String(address.port) }
  return whyNotReady({ ...userApi, environment })
}

test.each([
  {
    answer: { ready: false, waitingFor: ['kafka', 'mysql'] },
    reason: { kind: 'waiting', for: ['kafka', 'mysql'] },
  },
  { answer: { ready: true, waitingFor: [] }, reason: null },
])('$answer: $reason', async ({ answer, reason }) => {
  expect(await reasonOf((_, response) => response.end(JSON.stringify(answer)))).toEqual(reason)
})

test('one that is frozen takes connections and gives no answer', async () => {
  expect(await reasonOf(() => {})).toEqual({ kind: 'silent' })
})

test('a server without probes is not ready when it gives no answer', async () => {
  const kafka = services.find(({ name }) => name === 'kafka')!
  expect(await whyNotReady(kafka)).toEqual({ kind: 'silent' })
})

test('nothing is known of one that has just ended', async () => {
  expect(await reasonOf((_, response) => response.destroy())).toBeNull()
})
