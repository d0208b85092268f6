/** A TCP proxy that does to connections what networks do: delays, cuts, refuses, swallows. It knows nothing of what passes. */
import { findFreePort } from '@kafka-pattern/local-stack'
import { connect, createServer, type Socket } from 'node:net'
import { atEndOfTest } from './end-of-test.ts'

export type Address = { host: string; port: number }

export type TcpProxy = {
  /** host:port for clients */
  readonly address: string
  /** the port of `address`, whose host is 127.0.0.1 */
  readonly port: number
  /** connections that are open now */
  readonly connections: number
  /** connections that were ever accepted */
  readonly accepted: number
  /** From now on every byte, of both directions, arrives this much later. */
  delay(ms: number): void
  /** Resets every open connection, once; new ones are accepted. */
  cut(): void
  /**
   * Resets the one connection whose client next sends a packet that contains `text`: 'before' the server gets it, or 'after' the
   * server has answered, but before the client hears of it. Resolves when it is done.
   */
  cutAt(text: string, moment: 'before' | 'after'): Promise<void>
  /** Resets every open connection and refuses new ones. */
  refuse(): Promise<void>
  /** Nothing arrives any more on the connections that are open now; new ones work: a NAT gateway that forgot them. */
  forget(): void
  /** Keeps connections open, and accepts new ones, but nothing arrives any more: a network that lost its route. */
  swallow(): void
  /** Ends all of these faults. What was swallowed is lost, so connections that were open then are reset. */
  restore(): Promise<void>
  /** Closes the proxy with all its connections. */
  stop(): Promise<void>
}

/** What one connection does to the chunks that pass. `rewriteResponses` may throw: the connection is then reset. */
export type Passage = {
  noteRequests(chunk: Buffer): void
  rewriteResponses(chunk: Buffer): Buffer
}

/**
 * @param options.target host:port of the server
 * @param options.passage makes what looks at, or changes, the bytes of one connection; it is told the proxy's own address
 */
export async function startTcpProxy(options: {
  target: string
  passage?: (own: Address) => Passage
}): Promise<TcpProxy> {
  const target = parseAddress(options.target)
  const port = await findFreePort()
  const own: Address = { host: '127.0.0.1', port }
  const links = new Set<Link>()
  let accepted = 0
  const faults: Faults = { delayMs: 0, swallowing: false, cutAt: null }

  const server = createServer(client => {
    const link = new Link(client, connect({ ...target, noDelay: true }), options.passage?.(own), faults)
    links.add(link)
    accepted++
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
    port,
    get connections() {
      return links.size
    },
    get accepted() {
      return accepted
    },
    delay(ms) {
      faults.delayMs = ms
    },
    cut,
    cutAt: (text, moment) =>
      new Promise(done => {
        faults.cutAt = { text, moment, done }
      }),
    refuse: close,
    forget() {
      for (const link of links) link.forget()
    },
    swallow() {
      faults.swallowing = true
    },
    async restore() {
      faults.delayMs = 0
      faults.cutAt = null
      if (faults.swallowing) cut()
      faults.swallowing = false
      if (!server.listening) await listen()
    },
    stop: close,
  }
}

type Faults = {
  delayMs: number
  swallowing: boolean
  cutAt: { text: string; moment: 'before' | 'after'; done: () => void } | null
}

/** One client connection and its counterpart to the server. */
class Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #faults: Faults
  #isForgotten = false
  /** Set when the next answer is not to arrive. */
  #cutAtAnswer: (() => void) | null = null

  constructor(client: Socket, server: Socket, passage: Passage | undefined, faults: Faults) {
    this.#client = client
    this.#server = server
    this.#faults = faults
    client.setNoDelay(true)
    const toServer = new DelayLine(chunk => server.write(chunk), faults)
    const toClient = new DelayLine(chunk => client.write(chunk), faults)
    client.on('data', chunk => {
      if (this.#isForgotten) return
      if (this.#isCutBefore(chunk)) return
      passage?.noteRequests(chunk)
      toServer.push(chunk)
    })
    server.on('data', chunk => {
      if (this.#isForgotten) return
      if (this.#cutAtAnswer !== null) {
        this.reset()
        this.#cutAtAnswer()
        return
      }
      try {
        toClient.push(passage === undefined ? chunk : passage.rewriteResponses(chunk))
      } catch (error) {
        console.error('proxy:', error)
        this.reset()
      }
    })
    for (const socket of [client, server]) {
      // A connection that fails is what this proxy is for; its close, which follows, is what counts.
      socket.on('error', () => {})
    }
    client.on('close', () => server.destroy())
    server.on('close', () => {
      if (!faults.swallowing && !this.#isForgotten) client.destroy()
    })
  }

  onClosed(listener: () => void): void {
    this.#client.on('close', listener)
  }

  /** Both sides see a reset rather than an orderly end. */
  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.destroy()
  }

  forget(): void {
    this.#isForgotten = true
  }

  #isCutBefore(chunk: Buffer): boolean {
    const { cutAt } = this.#faults
    if (cutAt === null || !chunk.includes(cutAt.text)) return false
    this.#faults.cutAt = null
    if (cutAt.moment === 'after') {
      this.#cutAtAnswer = cutAt.done
      return false
    }
    this.reset()
    cutAt.done()
    return true
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
    if (chunk.length === 0 || this.#faults.swallowing) return
    const { delayMs } = this.#faults
    if (delayMs === 0 && this.#waiting.length === 0) {
      this.#deliver(chunk)
      return
    }
    this.#waiting.push(chunk)
    // Every timer hands on whatever has waited longest: a delay that shrinks lets no chunk overtake another.
    setTimeout(() => this.#deliver(this.#waiting.shift()!), delayMs)
  }
}

export function parseAddress(text: string): Address {
  const separator = text.lastIndexOf(':')
  return { host: text.slice(0, separator), port: Number(text.slice(separator + 1)) }
}
