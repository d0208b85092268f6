/**
 * Random records and record batches, the same ones for the same seed. The tests compare what kafkajs makes of them
 * with what stock kafkajs made of them (stock-output.json, written by record-stock-output.ts).
 */
import { seededRandom } from '@kafka-pattern/test-kit/seeded-random'
import type { IHeaders, Message } from 'kafkajs'
import type { FetchedPartition } from './fetch-response.ts'
import type { ProduceRequest } from './kafkajs-under-test.ts'

/** Random choices, the same ones for the same seed. */
export function createRandom(seed: number) {
  const next = seededRandom(seed)
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <T>(choices: readonly T[]): T => choices[below(choices.length)]!
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))
  return { below, pick, bytes }
}

type Random = ReturnType<typeof createRandom>

// Those of 16 and 17 characters: up to 16 the patched encoder looks at each.
const SIXTEEN = ['application/json', 'application/jsön', 'application/json5']
const TEXTS = ['', 'a', 'Zoë', '日本語', '🦜', '\u0000', 'é'.repeat(64), 'x'.repeat(300), ...SIXTEEN]
const HEADER_NAMES = ['id', 'correlation-id', 'content-type', 'ключ', '1', 'x'.repeat(130)]

/** Milliseconds: the clock of the tests stands still here. */
export const NOW = 1_760_000_000_000

export interface ProduceCase {
  name: string
  request: ProduceRequest
}

/** Produce requests of all shapes. With `compression`, the codec of that number has to be there. */
export function produceCases(count: number, compression: number): ProduceCase[] {
  return Array.from({ length: count }, (_, seed) => {
    const random = createRandom(seed)
    const transactional = random.below(3) === 0
    return {
      name: `request ${seed}`,
      request: {
        acks: random.pick([-1, 1]),
        timeout: 30_000,
        transactionalId: transactional ? 'lane-3' : null,
        producerId: transactional ? random.pick([0, 7, 2 ** 40]) : -1,
        producerEpoch: transactional ? random.below(100) : 0,
        compression: random.pick([0, 0, 0, compression]),
        topicData: Array.from({ length: 1 + random.below(2) }, (__, topic) => ({
          topic: `topic-${topic}`,
          partitions: Array.from({ length: 1 + random.below(3) }, (___, partition) => ({
            partition,
            firstSequence: transactional ? random.below(1_000_000) : 0,
            messages: fuzzedMessages(random),
          })),
        })),
      },
    }
  })
}

function fuzzedMessages(random: Random): Message[] {
  const haveTimestamps = random.below(2) === 0
  return Array.from({ length: 1 + random.below(random.pick([1, 4, 140])) }, () => {
    const message: Message = { value: fuzzedBytes(random) }
    if (random.below(4) > 0) message.key = fuzzedBytes(random)
    if (random.below(2) > 0) message.headers = fuzzedHeaders(random)
    if (haveTimestamps) message.timestamp = String(NOW - random.below(random.pick([2, 1000, 1e11])))
    return message
  })
}

function fuzzedBytes(random: Random): string | Buffer | null {
  return random.pick([
    null,
    random.pick(TEXTS),
    random.pick(TEXTS),
    random.bytes(random.below(40)),
    Buffer.alloc(random.pick([63, 64, 8191, 8192]), 'v'),
  ])
}

function fuzzedHeaders(random: Random): IHeaders {
  const value = () => random.pick<string | Buffer>([random.pick(TEXTS), random.bytes(random.below(20))])
  return Object.fromEntries(
    Array.from({ length: random.below(5) }, () => [
      random.pick(HEADER_NAMES),
      random.below(4) === 0 ? Array.from({ length: random.below(3) }, value) : value(),
    ]),
  )
}

interface WireRecord {
  timestampDelta: bigint
  offsetDelta: number
  key: Buffer | null
  value: Buffer | null
  headers: [name: string, value: Buffer | null][]
}

interface WireBatch {
  baseOffset: bigint
  attributes: number
  baseTimestamp: bigint
  maxTimestamp: bigint
  producerId: bigint
  records: WireRecord[]
}

const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

export interface FetchCase extends FetchedPartition {
  name: string
  fetchedOffset: string
}

/** What a broker answers for one partition, record batches as of KIP-98; `compress` is applied to some of them. */
export function fetchCases(count: number, gzip: number, compress: (records: Buffer) => Buffer): FetchCase[] {
  return Array.from({ length: count }, (_, seed) => {
    const random = createRandom(1000 + seed)
    const firstOffset = random.pick([0n, 41n, 2n ** 31n - 3n, 2n ** 53n - 2n, 2n ** 60n])
    const batches: Buffer[] = []
    let baseOffset = firstOffset
    for (let i = random.below(4); i >= 0; i--) {
      const batch = fuzzedBatch(random, baseOffset)
      batches.push(encodeBatch(batch, random.below(3) === 0 ? { attributes: gzip, compress } : undefined))
      baseOffset += BigInt(batch.records.at(-1)!.offsetDelta + 1)
    }
    const recordSet = Buffer.concat(batches)
    return {
      name: `partition ${seed}`,
      fetchedOffset: String(firstOffset + BigInt(random.pick([0, 0, 1, 3]))),
      abortedTransactions: random.pick([[], [{ producerId: '7', firstOffset: String(firstOffset) }]]),
      // The broker cuts at maxBytes, wherever that is
      recordSet:
        random.below(3) === 0 ? recordSet.subarray(0, 61 + random.below(recordSet.length - 61)) : recordSet,
    }
  })
}

function fuzzedBatch(random: Random, baseOffset: bigint): WireBatch {
  const baseTimestamp = random.pick([BigInt(NOW), 0n, -1n, 2n ** 55n])
  let offsetDelta = -1
  const isControl = random.below(4) === 0
  return {
    baseOffset,
    attributes:
      random.pick([0, 0, LOG_APPEND_TIME, TRANSACTIONAL]) | (isControl ? CONTROL | TRANSACTIONAL : 0),
    baseTimestamp,
    maxTimestamp: baseTimestamp + 5n,
    producerId: random.pick([-1n, 7n, 7n, 2n ** 40n]),
    records: Array.from({ length: isControl ? 1 : 1 + random.below(random.pick([1, 5, 90])) }, () => ({
      timestampDelta: random.pick([0n, 0n, 1n, -1n, -3000n, 2n ** 33n, 2n ** 48n, -(2n ** 49n), 2n ** 52n]),
      // Compaction leaves gaps
      offsetDelta: (offsetDelta += random.pick([1, 1, 1, 70])),
      key: isControl
        ? Buffer.from([0, 0, 0, random.below(2)])
        : random.pick([null, random.bytes(random.below(40))]),
      value: random.pick([null, random.bytes(random.below(200)), Buffer.from('{"level":1}')]),
      headers: Array.from({ length: random.below(4) }, () => [
        random.pick(HEADER_NAMES),
        random.pick([null, random.bytes(random.below(10))]),
      ]),
    })),
  }
}

/** The bytes of a record batch, without a checksum, which kafkajs does not look at. */
function encodeBatch(
  batch: WireBatch,
  compression?: { attributes: number; compress: (records: Buffer) => Buffer },
): Buffer {
  const records = Buffer.concat(batch.records.map(encodeRecord))
  const content = compression ? compression.compress(records) : records
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(batch.baseOffset, 0)
  header.writeInt32BE(49 + content.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(batch.attributes | (compression?.attributes ?? 0), 21)
  header.writeInt32BE(batch.records.at(-1)?.offsetDelta ?? 0, 23)
  header.writeBigInt64BE(batch.baseTimestamp, 27)
  header.writeBigInt64BE(batch.maxTimestamp, 35)
  header.writeBigInt64BE(batch.producerId, 43)
  header.writeInt32BE(batch.records.length, 57)
  return Buffer.concat([header, content])
}

function encodeRecord({ timestampDelta, offsetDelta, key, value, headers }: WireRecord): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampDelta),
    varint(BigInt(offsetDelta)),
    varintBytes(key),
    varintBytes(value),
    varint(BigInt(headers.length)),
    ...headers.flatMap(([name, headerValue]) => [varintBytes(Buffer.from(name)), varintBytes(headerValue)]),
  ])
  return Buffer.concat([varint(BigInt(body.length)), body])
}

function varintBytes(value: Buffer | null): Buffer {
  return value === null ? varint(-1n) : Buffer.concat([varint(BigInt(value.length)), value])
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}
