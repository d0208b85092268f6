import { once } from 'node:events'
import net from 'node:net'
import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const createSocket = internal('network/socket')
const createSocketFactory = internal('network/socketFactory')

test('what is received lies in one buffer, time and again, and the end is told', async () => {
  const connected = Promise.withResolvers<net.Socket>()
  const server = net.createServer(connected.resolve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port')
  const memory = new Set<ArrayBufferLike>()
  const texts: string[] = []
  const end = Promise.withResolvers<void>()
  let received = Promise.withResolvers<void>()
  const client = createSocket({
    socketFactory: createSocketFactory(),
    host: '127.0.0.1',
    port: address.port,
    onConnect: () => {},
    onData: data => {
      memory.add(data.buffer)
      texts.push(String(data))
      received.resolve()
    },
    onEnd: end.resolve,
    onError: end.reject,
    onTimeout: () => {},
  })
  const peer = await connected.promise
  for (const text of ['one', 'two', 'three']) {
    received = Promise.withResolvers<void>()
    peer.write(text)
    await received.promise
  }
  peer.end()
  await end.promise
  client.destroy()
  server.close()

  expect(texts).toEqual(['one', 'two', 'three'])
  expect(memory.size).toBe(1)
})
