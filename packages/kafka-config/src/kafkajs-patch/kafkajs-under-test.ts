/**
 * The kafkajs that the tests of the patch run against: the patched package of this workspace, or, to see
 * them fail, the one in the folder that KAFKAJS_DIR names:
 *
 *   npm pack kafkajs@2.2.4 && tar xzf kafkajs-2.2.4.tgz
 *   KAFKAJS_DIR=$PWD/package pnpm vitest run packages/kafka-config/src/kafkajs-patch
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type * as KafkaJs from 'kafkajs'
import type { Message } from 'kafkajs'

const require = createRequire(import.meta.url)
const packageDir = process.env['KAFKAJS_DIR'] ?? dirname(require.resolve('kafkajs/package.json'))

/** The public module. */
export const kafkajs: typeof KafkaJs = require(packageDir)

/** An internal module, by its path under `src`. */
export function internal<Path extends keyof Internals>(path: Path): Internals[Path] {
  return require(join(packageDir, 'src', path))
}

/** What the tests use of the internal modules. */
interface Internals {
  broker: new (options: { connectionPool: ConnectionPool } & Record<string, unknown>) => Broker
  cluster: { prototype: { metadata(this: object, wanted: { topics: string[] }): Promise<object> } }
  'cluster/brokerPool': new (options: object) => BrokerPool
  'consumer/assignerProtocol': { MemberAssignment: { encode: (assignment: object) => Buffer } }
  'consumer/batch': new (topic: string, fetchedOffset: string, partition: DecodedPartition) => ConsumedBatch
  'consumer/consumerGroup': new (options: object) => ConsumerGroup
  'consumer/runner': new (options: object) => Runner
  'consumer/filterAbortedMessages': <M extends object>(fetched: {
    messages: M[]
    abortedTransactions: { producerId: string; firstOffset: string }[]
  }) => M[]
  'network/connection': new (options: object) => Connection
  'network/requestQueue': new (options: object) => RequestQueue
  'network/socket': (options: SocketOptions & { socketFactory: SocketFactory } & SocketListeners) => Socket
  'network/socketFactory': () => SocketFactory
  'producer/groupMessagesPerPartition': (request: {
    topic: string
    partitionMetadata: { partitionId: number; leader: number }[]
    messages: Message[]
    partitioner: (choice: { message: Message }) => number
  }) => Record<number, Message[]>
  'producer/partitioners/default/murmur2': (key: Buffer | string) => number
  'protocol/encoder': new () => object
  'protocol/error': { createErrorFromCode: (code: number) => Error & { type: string; retriable: boolean } }
  'protocol/message/compression': { Codecs: Record<number, () => Codec> }
  'protocol/requests/fetch/v11/response': { decode(response: Buffer): Promise<FetchResponse> }
  'protocol/requests/metadata/v6/response': { parse: (response: object) => Promise<object> }
  'protocol/requests/produce/v7/request': (request: ProduceRequest) => {
    encode(): Promise<{ buffer: Buffer }>
  }
  'protocol/requests/produce/v7/response': { parse: (response: object) => Promise<object> }
}

type SocketOptions = { host: string; port: number; onConnect: () => void; onData: (data: Buffer) => void }
type SocketFactory = (options: SocketOptions) => Socket
type SocketListeners = { onEnd: () => void; onError: (error: Error) => void; onTimeout: () => void }

export interface ProduceRequest {
  acks: number
  timeout: number
  transactionalId: string | null
  producerId: number
  producerEpoch: number
  compression: number
  topicData: {
    topic: string
    partitions: { partition: number; firstSequence: number; messages: Message[] }[]
  }[]
}

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

interface FetchResponse {
  responses: { topicName: string; partitions: DecodedPartition[] }[]
}

/** The patched package decodes the messages when they are processed, the stock package at once. */
export interface DecodedPartition {
  messages?: DecodedMessage[]
  decodeMessages?: () => Promise<{ messages: DecodedMessage[]; lastOffset?: string }>
}

export interface DecodedMessage {
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, Buffer | null | (Buffer | null)[]>
  offset: string
  timestamp: string
}

interface ConsumedBatch {
  messages: DecodedMessage[]
  firstOffset(): string | null
  lastOffset(): string
  offsetLag(): string
  offsetLagLow(): string
  isEmpty(): boolean
  isEmptyDueToFiltering(): boolean
}

interface RequestQueue {
  maybeThrottle(ms: number): void
  scheduleRequestTimeoutCheck(): void
  push(request: object): void
  fulfillRequest(response: { correlationId: number; payload: Buffer; size: number }): void
}

interface BrokerPool {
  seedBroker: object
  refreshMetadata(topics: string[]): Promise<void>
  refreshMetadataIfNecessary(topics: string[]): Promise<void>
}

interface ConsumerGroup {
  memberId: string
  coordinator: object
  heartbeat(options: { interval: number }): Promise<void>
  joinAndSync(): Promise<void>
  revokeAssignment(): Promise<void>
  assigned(): { topic: string; partitions: number[] }[]
  seek(position: { topic: string; partition: number; offset: string }): void
  fetch(nodeId: string): Promise<object[]>
  recoverFromOffsetOutOfRange(where: { topic: string; partition: number }): Promise<void>
}

interface Runner {
  start(): Promise<void>
  stop(): Promise<void>
}

export interface Broker {
  connect(): Promise<void>
  metadata(topics: string[]): Promise<object>
  addPartitionsToTxn(request: object): Promise<object>
}

interface ConnectionPool {
  getConnection(): Promise<object>
  isConnected(): boolean
  setVersions(): void
  send(request: { response: { parse(answer: object): Promise<object> } }): Promise<object>
}

interface Connection {
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  send(request: object): Promise<Buffer>
}

/** The answer to a JoinGroup of a member that another one leads. */
export const followerOfOther = {
  generationId: 1,
  leaderId: 'other',
  memberId: 'me',
  members: [],
  groupProtocol: 'any',
}
