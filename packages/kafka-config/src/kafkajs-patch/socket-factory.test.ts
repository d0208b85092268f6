import net from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const createSocketFactory = internal('network/socketFactory')

afterEach(() => {
  vi.restoreAllMocks()
})

test('a small request is not held back by the Nagle algorithm', () => {
  const socket = new net.Socket()
  vi.spyOn(net, 'connect').mockReturnValue(socket)
  const setNoDelay = vi.spyOn(socket, 'setNoDelay')

  createSocketFactory()({ host: '127.0.0.1', port: 9092, onConnect: () => {}, onData: () => {} })

  expect(setNoDelay).toHaveBeenCalledWith(true)
})
