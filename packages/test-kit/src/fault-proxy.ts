/**
 * A TCP proxy in front of one broker that does to its connections what networks do: delays, cuts, refuses, swallows.
 *
 * It rewrites the broker's advertised address in the responses that carry it, so that a client which bootstraps here stays
 * here; that works with any broker, local or in a container, and needs no listener of its own. Only plaintext
 * connections can be rewritten. Other brokers of a cluster keep their own addresses: give each its proxy.
 */
import { findFreePort } from '@kafka-pattern/local-stack'
import { createServer, connect, type Socket } from 'node:net'
import { metadataKey, replaceAddresses, type BrokerAddress } from './advertised-addresses.ts'
import { atEndOfTest } from './end-of-test.ts'
import { KafkaFrames } from './kafka-frames.ts'

export type FaultProxy = {
  /** host:port for clients to bootstrap from */
  readonly address: string
  /** connections that are open now */
  readonly connections: number
  /** From now on every byte, of both directions, arrives this much later. */
  delay(ms: number): void
  /** Resets every open connection, once; new ones are accepted. */
  cut(): void
  /** Resets every open connection and refuses new ones. */
  refuse(): Promise<void>
  /** Keeps connections open, and accepts new ones, but nothing arrives any more: a network that lost its route. */
  swallow(): void
  /** Ends all of these faults. What was swallowed is lost, so connections that were open then are reset. */
  restore(): Promise<void>
  /** Closes the proxy with all its connections. */
  stop(): Promise<void>
}

/**
 * @param options.target the broker's host:port, as it advertises itself; one of `testKafka().brokers`
 */
export async function startFaultProxy(options: { target: string }): Promise<FaultProxy> {
  const target = parseAddress(options.target)
  const port = await findFreePort()
  const own: BrokerAddress = { host: '127.0.0.1', port }
  const links = new Set<Link>()
  let delayMs = 0
  let swallowing = false

  const rewrite = (frame: Buffer, apiKey: number, apiVersion: number): Buffer => {
    let found = false
    const advertised: string[] = []
    const rewritten = replaceAddresses(frame, apiKey, apiVersion, address => {
      advertised.push(`${address.host}:${address.port}`)
      if (!isSameAddress(address, target)) return null
      found = true
      return own
    })
    // Silence here would be a test whose client goes round the proxy and that therefore cannot fail.
    if (apiKey === metadataKey && advertised.length > 0 && !found) {
      throw new Error(
        `The broker at ${options.target} advertises ${advertised.join(', ')}: use that as target`,
      )
    }
    return rewritten
  }

  const server = createServer(client => {
    const frames = new KafkaFrames(rewrite)
    const link = new Link(client, connect({ ...target, noDelay: true }), frames, {
      delayMs: () => delayMs,
      isSwallowing: () => swallowing,
    })
    links.add(link)
    link.onClosed(() => links.delete(link))
  })
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, own.host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  const cut = () => {
    for (const link of links) link.reset()
  }
  const close = async () => {
    if (!server.listening) return cut()
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    cut()
    await closed
  }

  await listen()
  atEndOfTest(close)
  return {
    address: `${own.host}:${port}`,
    get connections() {
      return links.size
    },
    delay(ms) {
      delayMs = ms
    },
    cut,
    refuse: close,
    swallow() {
      swallowing = true
    },
    async restore() {
      delayMs = 0
      if (swallowing) cut()
      swallowing = false
      if (!server.listening) await listen()
    },
    stop: close,
  }
}

type Faults = { delayMs: () => number; isSwallowing: () => boolean }

/** One client connection and its counterpart to the broker. */
class Link {
  readonly #client: Socket
  readonly #broker: Socket

  constructor(client: Socket, broker: Socket, frames: KafkaFrames, faults: Faults) {
    this.#client = client
    this.#broker = broker
    client.setNoDelay(true)
    const toBroker = new DelayLine(chunk => broker.write(chunk), faults)
    const toClient = new DelayLine(chunk => client.write(chunk), faults)
    client.on('data', chunk => {
      frames.noteRequests(chunk)
      toBroker.push(chunk)
    })
    broker.on('data', chunk => {
      try {
        toClient.push(frames.rewriteResponses(chunk))
      } catch (error) {
        console.error('fault proxy:', error)
        this.reset()
      }
    })
    for (const socket of [client, broker]) {
      // A connection that fails is what this proxy is for; its close, which follows, is what counts.
      socket.on('error', () => {})
    }
    client.on('close', () => broker.destroy())
    broker.on('close', () => {
      if (!faults.isSwallowing()) client.destroy()
    })
  }

  onClosed(listener: () => void): void {
    this.#client.on('close', listener)
  }

  /** Both sides see a reset rather than an orderly end. */
  reset(): void {
    this.#client.resetAndDestroy()
    this.#broker.destroy()
  }
}

/** Hands chunks on in their order, each when its delay is over. */
class DelayLine {
  readonly #deliver: (chunk: Buffer) => void
  readonly #faults: Faults
  readonly #waiting: Buffer[] = []

  constructor(deliver: (chunk: Buffer) => void, faults: Faults) {
    this.#deliver = deliver
    this.#faults = faults
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0 || this.#faults.isSwallowing()) return
    const delayMs = this.#faults.delayMs()
    if (delayMs === 0 && this.#waiting.length === 0) {
      this.#deliver(chunk)
      return
    }
    this.#waiting.push(chunk)
    // Every timer hands on whatever has waited longest: a delay that shrinks lets no chunk overtake another.
    setTimeout(() => this.#deliver(this.#waiting.shift()!), delayMs)
  }
}

function parseAddress(text: string): BrokerAddress {
  const separator = text.lastIndexOf(':')
  return { host: text.slice(0, separator), port: Number(text.slice(separator + 1)) }
}

function isSameAddress(a: BrokerAddress, b: BrokerAddress): boolean {
  return a.port === b.port && numericLoopback(a.host) === numericLoopback(b.host)
}

function numericLoopback(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}
