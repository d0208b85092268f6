/**
 * What kafkajs makes of the fuzzed records, in a form that can be compared and stored. record-stock-output.ts stores
 * the output of the stock package, the tests compare that with the output of the patched one.
 */
import { gzipSync } from 'node:zlib'
import { createHash } from 'node:crypto'
import { internal } from './kafkajs-under-test.ts'
import type { DecodedMessage } from './kafkajs-under-test.ts'
import { fetchCases, produceCases } from './fuzzed-records.ts'
import type { FetchCase, ProduceCase } from './fuzzed-records.ts'
import { decodePartition } from './round-trip.ts'

export interface Fingerprint {
  length: number
  sha256: string
}

export interface BatchOutput {
  offsets: Fingerprint
  firstOffset: string | null
  lastOffset: string
  offsetLag: string
  offsetLagLow: string
  isEmpty: boolean
  isEmptyDueToFiltering: boolean
}

/** stock-output.json, by the names of the cases. */
export interface ProtocolOutput {
  requests: Record<string, Fingerprint>
  partitions: Record<string, { messages: Fingerprint; batch: BatchOutput }>
}

const GZIP = 1
const REVERSING = 2

const { Codecs } = internal('protocol/message/compression')

const reversed = (bytes: Buffer) => Buffer.from(Array.from(bytes).toReversed())

// The output of gzip depends on its version; a codec that reverses the bytes proves the same about the encoder.
Codecs[REVERSING] = () => ({
  compress: async ({ buffer }) => reversed(buffer),
  decompress: async buffer => reversed(buffer),
})

const fuzzedRequests: ProduceCase[] = produceCases(60, REVERSING)
const fuzzedFetches: FetchCase[] = fetchCases(60, GZIP, records => gzipSync(records))

const produceRequest = internal('protocol/requests/produce/v7/request')

/** The bytes of a produce request. */
async function encodeRequest({ request }: ProduceCase): Promise<Buffer> {
  const encoder = await produceRequest(request).encode()
  return Buffer.from(encoder.buffer)
}

/** Bytes as the fixture stores them: a change in any of them shows, without the megabytes. */
function fingerprint(bytes: Buffer): Fingerprint {
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const Batch = internal('consumer/batch')

/** All messages of the answer to a fetch, as the protocol layer decodes them. */
async function decodeMessages(fetched: FetchCase): Promise<DecodedMessage[]> {
  return (await decodePartition(fetched)).messages
}

/** The batch that a consumer gets to see. */
async function toBatch(fetched: FetchCase): Promise<BatchOutput> {
  const batch = new Batch('topic', fetched.fetchedOffset, await decodePartition(fetched))
  return {
    offsets: fingerprint(Buffer.from(batch.messages.map(({ offset }) => offset).join())),
    firstOffset: batch.firstOffset(),
    lastOffset: batch.lastOffset(),
    offsetLag: batch.offsetLag(),
    offsetLagLow: batch.offsetLagLow(),
    isEmpty: batch.isEmpty(),
    isEmptyDueToFiltering: batch.isEmptyDueToFiltering(),
  }
}

/** The output for all fuzzed records. The clock has to stand at NOW. */
export async function protocolOutput(): Promise<ProtocolOutput> {
  const output: ProtocolOutput = { requests: {}, partitions: {} }

  for (const request of fuzzedRequests) {
    output.requests[request.name] = fingerprint(await encodeRequest(request))
  }
  for (const fetched of fuzzedFetches) {
    const messages = JSON.stringify(asJson(await decodeMessages(fetched)))
    output.partitions[fetched.name] = {
      messages: fingerprint(Buffer.from(messages)),
      batch: await toBatch(fetched),
    }
  }

  return output
}

/** A decoded message as JSON: every Buffer as { hex }, everything else as it is. */
function asJson(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') }
  if (Array.isArray(value)) return value.map(asJson)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asJson(each)]))
}
