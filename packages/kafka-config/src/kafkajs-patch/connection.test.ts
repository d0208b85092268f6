import { soon } from '@kafka-pattern/test-kit/soon'
import { EventEmitter } from 'node:events'
import { expect, test, vi } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const Connection = internal('network/connection')
const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

/** A socket that answers nothing by itself. */
class FakeSocket extends EventEmitter {
  readonly write = vi.fn<(bytes: Buffer) => void>()
  readonly end = vi.fn<() => void>()
  readonly unref = vi.fn<() => void>()

  /** The broker answers the request that was written last. */
  respond(body: Buffer): void {
    this.emit('data', this.responseTo(body))
  }

  responseTo(body: Buffer): Buffer {
    const correlationId = this.write.mock.lastCall![0].subarray(8, 12)
    const size = Buffer.alloc(4)
    size.writeInt32BE(4 + body.length)
    return Buffer.concat([size, correlationId, body])
  }
}

function createConnection() {
  const sockets: FakeSocket[] = []
  const connection = new Connection({
    host: 'broker',
    port: 9092,
    logger: silent,
    connectionTimeout: 1_000,
    requestTimeout: 30_000,
    socketFactory: ({ onConnect }: { onConnect: () => void }) => {
      const socket = new FakeSocket()
      sockets.push(socket)
      queueMicrotask(onConnect)
      return socket
    },
  })
  const send = () =>
    connection.send({
      request: { apiKey: 18, apiName: 'ApiVersions', apiVersion: 0, encode: async () => encoded },
      response: { decode: async (payload: Buffer) => payload, parse: async (payload: Buffer) => payload },
    })
  return { connection, sockets, send }
}

const encoded = new (internal('protocol/encoder'))()
const BODY = Buffer.from('a response of some length')

async function sent(socket: FakeSocket): Promise<void> {
  await soon(() => expect(socket.write).toHaveBeenCalled())
}

test('a response is put together from chunks of any size', async () => {
  for (const chunkSize of [1, 3, 7, 100]) {
    const { connection, sockets, send } = createConnection()
    await connection.connect()
    const response = send()
    const socket = sockets[0]!
    await sent(socket)

    const bytes = socket.responseTo(BODY)
    for (let at = 0; at < bytes.length; at += chunkSize) {
      const chunk = Buffer.from(bytes.subarray(at, at + chunkSize))
      socket.emit('data', chunk)
      // The socket reads what comes next into the same memory.
      chunk.fill(0xff)
    }

    expect(await response).toEqual(BODY)
  }
})

test('half a response that was cut off does not garble the next connection', async () => {
  const { connection, sockets, send } = createConnection()
  await connection.connect()
  const lost = send()
  await sent(sockets[0]!)
  sockets[0]!.emit('data', sockets[0]!.responseTo(BODY).subarray(0, 10))
  sockets[0]!.emit('end')
  await expect(lost).rejects.toThrow('Closed connection')

  await connection.connect()
  const response = send()
  await sent(sockets[1]!)
  sockets[1]!.respond(BODY)

  expect(await response).toEqual(BODY)
})

test('requests that find the connection closed open one socket, not one each', async () => {
  const { connection, sockets } = createConnection()

  await Promise.all([connection.connect(), connection.connect(), connection.connect()])

  expect(sockets).toHaveLength(1)
})

test('a socket that was given up does not end its successor', async () => {
  const { connection, sockets, send } = createConnection()
  await connection.connect()
  await connection.disconnect()
  await connection.connect()
  const response = send()
  await sent(sockets[1]!)

  sockets[0]!.emit('end')
  sockets[1]!.respond(BODY)

  expect(await response).toEqual(BODY)
})

test('bytes that are not of the protocol end the connection with an error that says so', async () => {
  const { connection, sockets, send } = createConnection()
  await connection.connect()
  const response = send()
  await sent(sockets[0]!)

  sockets[0]!.emit('data', Buffer.from([0xff, 0xff, 0xff, 0xff, 0]))

  await expect(response).rejects.toThrow(/not Kafka's protocol/)
})

test('the buffer of a response is as large as the response, whatever came with it', async () => {
  const { connection, sockets, send } = createConnection()
  await connection.connect()
  const response = send()
  await sent(sockets[0]!)
  const large = Buffer.alloc(100_000)

  sockets[0]!.emit('data', Buffer.concat([sockets[0]!.responseTo(large), Buffer.alloc(3)]))

  expect((await response).buffer.byteLength).toBe(4 + 4 + large.length)
})
