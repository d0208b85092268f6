/** The one question this package asks a broker, spoken without a client library: which brokers does it know? */
import { connect } from 'node:net'

const metadataKey = 3
// Version 1 is the oldest with a controller id and is fixed-width enough to be written by hand.
const metadataVersion = 1

export type ClusterView = {
  /** ids of the brokers that are registered and not fenced */
  brokerIds: number[]
  /** those brokers with what they advertise: where a client that asked will connect to */
  brokers: { id: number; host: string; port: number }[]
  /** -1 while no controller is known */
  controllerId: number
}

/** A broker's own view of its cluster, null when it cannot answer (yet). */
export function describeCluster(
  broker: { host: string; port: number },
  timeoutMs = 2_000,
): Promise<ClusterView | null> {
  return new Promise(resolve => {
    const socket = connect(broker)
    const answer = (view: ClusterView | null) => {
      socket.destroy()
      resolve(view)
    }
    let received = Buffer.alloc(0)
    socket.setTimeout(timeoutMs, () => answer(null))
    socket.once('error', () => answer(null))
    socket.once('close', () => answer(null))
    socket.once('connect', () => socket.write(metadataRequest()))
    socket.on('data', data => {
      received = Buffer.concat([received, data])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0))
        answer(readClusterView(received))
    })
  })
}

function metadataRequest(): Buffer {
  const clientId = 'local-stack'
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + clientId.length + 4)
  let at = request.writeInt32BE(request.length - 4, 0)
  at = request.writeInt16BE(metadataKey, at)
  at = request.writeInt16BE(metadataVersion, at)
  at = request.writeInt32BE(1, at) // correlation id
  at = request.writeInt16BE(clientId.length, at)
  at += request.write(clientId, at)
  request.writeInt32BE(0, at) // no topics
  return request
}

function readClusterView(response: Buffer): ClusterView {
  let at = 8 // size, correlation id
  const brokers: ClusterView['brokers'] = []
  const count = response.readInt32BE(at)
  at += 4
  for (let i = 0; i < count; i++) {
    const id = response.readInt32BE(at)
    const hostEnd = at + 6 + response.readInt16BE(at + 4)
    brokers.push({
      id,
      host: response.toString('utf8', at + 6, hostEnd),
      port: response.readInt32BE(hostEnd),
    })
    at = hostEnd + 4
    at += 2 + Math.max(0, response.readInt16BE(at)) // rack, -1 is null
  }
  return { brokerIds: brokers.map(broker => broker.id), brokers, controllerId: response.readInt32BE(at) }
}
