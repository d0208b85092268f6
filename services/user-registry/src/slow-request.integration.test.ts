import { createHttpApi } from '@kafka-pattern/http-api'
import { createLogger } from '@kafka-pattern/service-runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { addUserRoutes, bodyLimitBytes } from './http-api.ts'
import { ada, ask } from './test-client.ts'

const requestTimeoutMs = 10_000

test('a body that comes slowly leaves the database the rest of the time of its request, not all of it again', async () => {
  const api = await startApi({ answerMarginMs: 500 })
  const bodyTakesMs = 3_000
  const response = await fetch(`${api.url}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    duplex: 'half',
    body: ReadableStream.from(
      (async function* () {
        const body = Buffer.from(JSON.stringify(ada))
        yield body.subarray(0, 5)
        await api.requestArrived
        await delay(bodyTakesMs)
        yield body.subarray(5)
      })(),
    ),
  })
  expect(response.status).toBe(503)
  expect(await response.text()).toContain('may yet be stored')
  const waitedMs = Number(/took longer than (\d+) ms/.exec(api.lines.join(''))?.[1])
  // Timers may end a millisecond early.
  expect(waitedMs).toBeLessThanOrEqual(requestTimeoutMs - 500 - bodyTakesMs + 10)
})

test('a request whose time is over is not begun, and says so', async () => {
  const api = await startApi({ answerMarginMs: requestTimeoutMs })
  const answer = await ask(api, 'POST', '/users', ada)
  expect([answer.status, answer.error]).toEqual([503, expect.stringContaining('nothing was stored')])
  expect(api.begun).toBe(0)
})

/** The HTTP side alone, before a database that never answers. */
async function startApi({ answerMarginMs }: { answerMarginMs: number }) {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ name: 'test', level: 'info', destination })
  const arrived = Promise.withResolvers<void>()
  let begun = 0
  const never = () => {
    begun++
    return Promise.withResolvers<never>().promise
  }
  const api = await createHttpApi({
    title: 'test',
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes,
    stopping: new AbortController().signal,
    requestTimeoutMs,
    logger,
    routes: routes => {
      // Runs after the one that sets the deadline.
      routes.addHook('onRequest', async () => arrived.resolve())
      addUserRoutes(routes, {
        mysql: { rows: never, write: never },
        writer: { create: never, change: never },
        accepts: () => true,
        answerMarginMs,
        logger,
      })
    },
  })
  onTestFinished(() => api.close())
  return {
    url: `http://127.0.0.1:${await api.listen()}`,
    lines,
    requestArrived: arrived.promise,
    get begun() {
      return begun
    },
  }
}
