import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import { describeListenError } from './ports.ts'

export interface Probes {
  readonly port: number
  close(): Promise<void>
}

/**
 * Answers an orchestrator's questions: /healthz (200 as long as the event loop turns), /readyz (200, or 503 with what the
 * service waits for), /metrics (Prometheus text).
 *
 * @param waitingFor names of what is not ready yet; empty = ready
 * @throws PortUnavailableError
 */
export async function startProbes(options: {
  host: string
  port: number
  waitingFor: () => string[]
  registry: Registry
}): Promise<Probes> {
  const { host, port, waitingFor, registry } = options
  const server = createServer((request, response) => void answer(request, response))

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, contentType: string, body: string): void =>
      void response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body)
    const replyJson = (status: number, body: object): void =>
      reply(status, 'application/json', `${JSON.stringify(body)}\n`)

    if (request.method !== 'GET' && request.method !== 'HEAD') {
      replyJson(405, { error: 'only GET' })
      return
    }
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        replyJson(200, { healthy: true })
        return
      case '/readyz': {
        const waiting = waitingFor()
        replyJson(waiting.length === 0 ? 200 : 503, { ready: waiting.length === 0, waitingFor: waiting })
        return
      }
      case '/metrics':
        try {
          reply(200, registry.contentType, await registry.metrics())
        } catch (error) {
          replyJson(500, { error: `metrics cannot be collected: ${String(error)}` })
        }
        return
      default:
        replyJson(404, { error: 'ask for /healthz, /readyz or /metrics' })
    }
  }

  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw describeListenError(error, { setting: 'PROBE_PORT', host, port })
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the probe server has no port')
  return {
    port: address.port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
