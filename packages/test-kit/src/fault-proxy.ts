/**
 * The TCP proxy in front of one broker.
 *
 * It rewrites the broker's advertised address in the responses that carry it, so that a client which bootstraps here stays
 * here; that works with any broker, local or in a container, and needs no listener of its own. Only plaintext
 * connections can be rewritten. Other brokers of a cluster keep their own addresses: give each its proxy.
 */
import { metadataKey, replaceAddresses } from './advertised-addresses.ts'
import { KafkaFrames } from './kafka-frames.ts'
import { parseAddress, startTcpProxy, type Address, type TcpProxy } from './tcp-proxy.ts'

export type FaultProxy = TcpProxy

/**
 * @param options.target the broker's host:port, as it advertises itself; one of `testKafka().brokers`
 */
export function startFaultProxy(options: { target: string }): Promise<FaultProxy> {
  const target = parseAddress(options.target)

  const rewriteTo = (own: Address) => (frame: Buffer, apiKey: number, apiVersion: number) => {
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

  return startTcpProxy({ ...options, passage: own => new KafkaFrames(rewriteTo(own)) })
}

function isSameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && numericLoopback(a.host) === numericLoopback(b.host)
}

function numericLoopback(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}
