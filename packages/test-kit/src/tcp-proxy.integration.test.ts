import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startTcpProxy } from './tcp-proxy.ts'

/** A server that remembers what it was sent and answers each packet, behind a proxy. */
async function startServer() {
  const received: string[] = []
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => {
      received.push(chunk.toString())
      socket.write(`answer to ${chunk.toString()}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
  return { received, proxy: await startTcpProxy({ target: `127.0.0.1:${address.port}` }) }
}

async function open(port: number): Promise<{ socket: Socket; ask(text: string): Promise<string> }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return {
    socket,
    ask: text =>
      new Promise((resolve, reject) => {
        socket.once('data', chunk => resolve(chunk.toString()))
        socket.once('error', reject)
        socket.write(text)
      }),
  }
}

test.each([
  ['before', ['BEGIN', 'UPDATE']],
  ['after', ['BEGIN', 'UPDATE', 'COMMIT']],
] as const)('cut at a text %s the server has it: one connection, once', async (moment, reached) => {
  const { received, proxy } = await startServer()
  const first = await open(proxy.port)
  const second = await open(proxy.port)
  expect(await first.ask('BEGIN')).toBe('answer to BEGIN')
  const cut = proxy.cutAt('COMMIT', moment)
  expect(await first.ask('UPDATE')).toBe('answer to UPDATE')
  await expect(first.ask('COMMIT')).rejects.toThrow(/ECONNRESET/)
  await cut
  expect(received).toEqual(reached)
  expect(await second.ask('COMMIT')).toBe('answer to COMMIT')
})

test('forgotten: nothing arrives on the connections that are open, new ones work', async () => {
  const { received, proxy } = await startServer()
  const old = await open(proxy.port)
  expect(await old.ask('before')).toBe('answer to before')
  proxy.forget()
  void old.ask('lost')
  expect(await (await open(proxy.port)).ask('after')).toBe('answer to after')
  expect(received).toEqual(['before', 'after'])
  expect([proxy.accepted, proxy.connections, old.socket.destroyed]).toEqual([2, 2, false])
  old.socket.destroy()
})
