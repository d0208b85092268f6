/**
 * The Lambda Runtime API as a function's process sees it: it asks for the next invocation, and posts what came of it.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** What a function did with an event: returned, threw, or neither in its time. */
export type InvocationResult = InvocationOutcome & {
  /** from when the function got the event */
  readonly durationMs: number
}
type InvocationOutcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'timed out' }

export type RuntimeApi = {
  /** host:port, for AWS_LAMBDA_RUNTIME_API */
  readonly address: string
  /** Hands the event to whoever asks next. The function's time begins when it gets it. */
  invoke(event: unknown, timeoutMs: number): Promise<InvocationResult>
  /** Resolves when the function asks for the first time. */
  readonly firstAsked: Promise<void>
  /** Resolves when the function waits for an event and there is none; rejects when its initialization failed. */
  idle(): Promise<void>
  close(): Promise<void>
}

type Invocation = {
  readonly id: string
  readonly event: unknown
  readonly timeoutMs: number
  readonly settle: (result: InvocationResult) => void
}

const path = /^\/2018-06-01\/runtime\/(?:invocation\/(next|[\w-]+)(?:\/(response|error))?|init\/(error))$/

export async function startRuntimeApi(): Promise<RuntimeApi> {
  const queued: Invocation[] = []
  const delivered = new Map<string, { settle: (outcome: InvocationOutcome) => void; timer: NodeJS.Timeout }>()
  const idleWaiters = new Set<{ resolve: () => void; reject: (error: Error) => void }>()
  const firstAsked = Promise.withResolvers<void>()
  let asking: ServerResponse | null = null
  let initError: Error | null = null

  function deliver(): void {
    if (asking === null) return
    const invocation = queued.shift()
    if (invocation === undefined) {
      for (const { resolve } of idleWaiters) resolve()
      idleWaiters.clear()
      return
    }
    const { id, event, timeoutMs } = invocation
    const startedAtMs = performance.now()
    const timer = setTimeout(() => settle(id, { kind: 'timed out' }), timeoutMs)
    delivered.set(id, {
      settle: outcome => invocation.settle({ ...outcome, durationMs: performance.now() - startedAtMs }),
      timer,
    })
    asking.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': id,
      'lambda-runtime-deadline-ms': String(Date.now() + timeoutMs),
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:000000000000:function:under-test',
    })
    asking.end(JSON.stringify(event))
    asking = null
  }

  function settle(id: string, outcome: InvocationOutcome): void {
    const invocation = delivered.get(id)
    if (invocation === undefined) return
    delivered.delete(id)
    clearTimeout(invocation.timer)
    invocation.settle(outcome)
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, id, outcome, init] = path.exec(request.url ?? '') ?? []
    if (id === 'next') {
      asking = response
      firstAsked.resolve()
      deliver()
      return
    }
    const posted = await text(request)
    response.writeHead(202).end()
    if (init !== undefined) {
      initError = new Error(`the function could not be initialized: ${posted}`)
      for (const { reject } of idleWaiters) reject(initError)
      idleWaiters.clear()
    } else if (id !== undefined) {
      const value: unknown = JSON.parse(posted)
      settle(id, outcome === 'response' ? { kind: 'returned', value } : { kind: 'failed', error: value })
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the Runtime API has no port')
  return {
    address: `127.0.0.1:${address.port}`,
    firstAsked: firstAsked.promise,
    invoke: (event, timeoutMs) =>
      new Promise(resolve => {
        queued.push({ id: randomUUID(), event, timeoutMs, settle: resolve })
        deliver()
      }),
    idle: () =>
      new Promise((resolve, reject) => {
        if (initError !== null) reject(initError)
        else if (asking !== null && queued.length === 0) resolve()
        else idleWaiters.add({ resolve, reject })
      }),
    async close() {
      for (const { timer } of delivered.values()) clearTimeout(timer)
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
