import { describe, expect, test } from 'vitest'
import { findCoordinatorKey, metadataKey, replaceAddresses } from './advertised-addresses.ts'
import { KafkaFrames } from './kafka-frames.ts'

const int16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff])
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const byte = (value: number) => Buffer.from([value])
const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)])
const compactText = (value: string) => Buffer.concat([byte(value.length + 1), Buffer.from(value)])
const noText = int16(-1)
const noTags = byte(0)

function frame(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length), body])
}

/** Responses as brokers write them, with one address in the place of `host` and `port`. */
const layouts: {
  name: string
  apiKey: number
  apiVersion: number
  encode: (host: string, port: number) => Buffer
}[] = [
  {
    name: 'Metadata 0: no rack',
    apiKey: metadataKey,
    apiVersion: 0,
    encode: (host, port) => frame(int32(7), int32(1), int32(1), text(host), int32(port), int32(0)),
  },
  {
    name: 'Metadata 6: throttle time, rack',
    apiKey: metadataKey,
    apiVersion: 6,
    encode: (host, port) =>
      frame(
        Buffer.concat([int32(7), int32(0), int32(2)]),
        Buffer.concat([int32(1), text(host), int32(port), noText]),
        Buffer.concat([int32(2), text('other'), int32(9092), text('rack-b')]),
        Buffer.concat([text('cluster'), int32(1), int32(0)]),
      ),
  },
  {
    name: 'Metadata 12: flexible',
    apiKey: metadataKey,
    apiVersion: 12,
    encode: (host, port) =>
      frame(
        Buffer.concat([int32(7), noTags, int32(0), byte(2)]),
        Buffer.concat([int32(1), compactText(host), int32(port), byte(0), noTags]),
        Buffer.concat([compactText('cluster'), int32(1), byte(1), noTags]),
      ),
  },
  {
    name: 'FindCoordinator 0',
    apiKey: findCoordinatorKey,
    apiVersion: 0,
    encode: (host, port) => frame(int32(7), int16(0), int32(1), text(host), int32(port)),
  },
  {
    name: 'FindCoordinator 2: throttle time, message',
    apiKey: findCoordinatorKey,
    apiVersion: 2,
    encode: (host, port) =>
      frame(int32(7), int32(0), int16(0), text('NONE'), int32(1), text(host), int32(port)),
  },
  {
    name: 'FindCoordinator 3: flexible',
    apiKey: findCoordinatorKey,
    apiVersion: 3,
    encode: (host, port) =>
      frame(
        Buffer.concat([int32(7), noTags, int32(0), int16(0), byte(0)]),
        Buffer.concat([int32(1), compactText(host), int32(port), noTags]),
      ),
  },
  {
    name: 'FindCoordinator 6: many',
    apiKey: findCoordinatorKey,
    apiVersion: 6,
    encode: (host, port) =>
      frame(
        Buffer.concat([int32(7), noTags, int32(0), byte(2)]),
        Buffer.concat([
          compactText('group'),
          int32(1),
          compactText(host),
          int32(port),
          int16(0),
          byte(0),
          noTags,
        ]),
        noTags,
      ),
  },
]

test.each(layouts)('$name: the address is replaced, all else stays', ({ apiKey, apiVersion, encode }) => {
  const replaced = replaceAddresses(encode('broker.example', 9092), apiKey, apiVersion, address =>
    address.host === 'broker.example' && address.port === 9092 ? { host: '127.0.0.1', port: 28_001 } : null,
  )
  expect(replaced).toEqual(encode('127.0.0.1', 28_001))
})

describe('on a connection', () => {
  const metadata = layouts[1]!
  const request = (apiKey: number, apiVersion: number, correlationId: number, bodyBytes: number) =>
    frame(int16(apiKey), int16(apiVersion), int32(correlationId), Buffer.alloc(bodyBytes, 'x'))
  const requests = Buffer.concat([
    request(1, 11, 5, 300), // a fetch
    request(metadataKey, metadata.apiVersion, 7, 20),
    request(0, 8, 8, 0), // a produce
  ])
  const fetched = frame(int32(5), Buffer.alloc(1_000, 'f'))
  const produced = frame(int32(8), Buffer.alloc(3, 'p'))

  test.each([1, 2, 3, 7, 11, 12, 13, 100, 5_000])(
    'responses that come in pieces of %i bytes are rewritten where they hold addresses',
    pieceBytes => {
      const frames = new KafkaFrames((response, apiKey, apiVersion) =>
        replaceAddresses(response, apiKey, apiVersion, ({ host }) =>
          host === 'broker' ? { host: 'proxy', port: 2 } : null,
        ),
      )
      const pieces = (bytes: Buffer) =>
        Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
          bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
        )
      for (const piece of pieces(requests)) frames.noteRequests(piece)
      const responses = Buffer.concat([fetched, metadata.encode('broker', 1), produced])
      const passed = pieces(responses).map(piece => frames.rewriteResponses(piece))
      expect(Buffer.concat(passed)).toEqual(Buffer.concat([fetched, metadata.encode('proxy', 2), produced]))
    },
  )
})
