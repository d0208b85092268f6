/**
 * kafkajs has a fetcher for each broker. Here the test plays the brokers, so that a fetch can be answered after another fetcher has
 * rejoined the group.
 */
import { soon } from '@kafka-pattern/test-kit/soon'
import type { EachBatchPayload } from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { followerOfOther, internal } from './kafkajs-under-test.ts'

const ConsumerGroup = internal('consumer/consumerGroup')
const Runner = internal('consumer/runner')
const { createErrorFromCode } = internal('protocol/error')
const { MemberAssignment } = internal('consumer/assignerProtocol')

const NOT_LEADER_FOR_PARTITION = 6
const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

interface HeldFetch {
  /** `partition@offset` of what is asked for. */
  readonly asked: string[]
  /** The offsets of the records that it brings, by partition. */
  answer(found: Record<number, number[]>): void
  fail(errorCode: number): void
}

/** Partition 0 is led by broker 1, partition 1 by broker 2; the group has committed offset 10 of both. */
async function startConsumer(onPartitionsRevoked: () => Promise<void> = async () => {}) {
  const leaders = [1, 2]
  const pending = new Map<number, HeldFetch>()
  const joined = vi.fn<() => void>()
  const handedOver: string[] = []

  const coordinator = {
    isConnected: () => true,
    heartbeat: async () => {},
    leaveGroup: async () => {},
    // A follower that rejoins a group that is stable gets the generation that it had.
    joinGroup: async () => followerOfOther,
    syncGroup: async () => ({
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { user: [0, 1] } }),
    }),
    offsetFetch: async () => ({
      responses: [{ topic: 'user', partitions: [0, 1].map(partition => ({ partition, offset: '10' })) }],
    }),
  }
  const committed = {}
  const cluster = {
    connect: async () => {},
    refreshMetadata: async () => {},
    refreshMetadataIfNecessary: async () => {},
    getNodeIds: () => [1, 2],
    findGroupCoordinator: async () => coordinator,
    findTopicPartitionMetadata: () => leaders.map((leader, partitionId) => ({ partitionId, leader })),
    committedOffsets: () => committed,
    findBroker: async ({ nodeId }: { nodeId: number }) => ({
      fetch: ({ topics }: { topics: { partitions: { partition: number; fetchOffset: string }[] }[] }) =>
        new Promise((resolve, reject) => {
          pending.set(nodeId, {
            asked: topics.flatMap(({ partitions }) =>
              partitions.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`),
            ),
            answer: found => {
              pending.delete(nodeId)
              const partitions = Object.entries(found).map(([id, offsets]) => fetched(Number(id), offsets))
              resolve({ responses: [{ topicName: 'user', partitions }] })
            },
            fail: errorCode => {
              pending.delete(nodeId)
              reject(createErrorFromCode(errorCode))
            },
          })
        }),
    }),
  }
  const consumerGroup = new ConsumerGroup({
    retry: { initialRetryTime: 1, retries: 5 },
    cluster,
    groupId: 'group',
    topics: ['user'],
    topicConfigurations: { user: {} },
    assigners: [],
    logger: silent,
    instrumentationEmitter: {
      emit: (name: string) => {
        if (name === 'consumer.group_join') joined()
      },
    },
    autoCommit: false,
    maxWaitTimeInMs: 1,
    heartbeatInterval: 3_000,
    onPartitionsRevoked,
  })
  const runner = new Runner({
    logger: silent,
    consumerGroup,
    instrumentationEmitter: { emit() {} },
    eachBatchAutoResolve: false,
    autoCommit: false,
    concurrency: 1,
    heartbeatInterval: 3_000,
    onCrash: (error: unknown) => {
      throw error
    },
    eachBatch: async (payload: EachBatchPayload) => {
      const { batch } = payload
      handedOver.push(`${batch.partition}: ${batch.messages.map(({ offset }) => offset).join(' ')}`)
      payload.resolveOffset(batch.lastOffset())
    },
  })
  onTestFinished(async () => {
    const stopped = runner.stop()
    for (const fetch of pending.values()) fetch.answer({})
    await stopped
  })
  await runner.start()
  return {
    handedOver,
    joined,
    moveLeader: (partition: number, leader: number) => (leaders[partition] = leader),
    isFetching: (broker: number) => pending.has(broker),
    /** The fetch that this broker holds back, as soon as it asks for these. */
    fetchOf: (broker: number, ...asked: string[]) =>
      vi.waitFor(
        () => {
          const fetch = pending.get(broker)
          expect(fetch?.asked).toEqual(asked)
          return fetch!
        },
        { timeout: 10_000, interval: 1 },
      ),
  }
}

/** What a fetch brings of a partition; decoded at once by the stock package, later by the patched one. */
function fetched(partition: number, offsets: number[]) {
  const messages = offsets.map(offset => ({ offset: String(offset), isControlRecord: false }))
  return {
    partition,
    highWatermark: '100',
    abortedTransactions: [],
    messages,
    decodeMessages: async () => ({ messages }),
  }
}

const nextTurn = () => new Promise(resolve => setTimeout(resolve))

test('what was fetched before another fetcher rejoined is not handed over: it is not what follows the committed offset', async () => {
  const { handedOver, joined, fetchOf } = await startConsumer()
  const first = await fetchOf(2, '1@10')
  first.answer({ 1: [10, 11, 12] })
  const outlived = await fetchOf(2, '1@13')
  const stale = await fetchOf(1, '0@10')
  stale.fail(NOT_LEADER_FOR_PARTITION)
  await soon(() => expect(joined).toHaveBeenCalledTimes(2))

  outlived.answer({ 1: [13] })
  const again = await fetchOf(2, '1@10')
  again.answer({ 1: [10, 11, 12, 13] })
  await fetchOf(2, '1@14')

  expect(handedOver).toEqual(['1: 10 11 12', '1: 10 11 12 13'])
})

test('nothing is handed over while the assignment is revoked, and nothing fetched until the group is rejoined', async () => {
  const revoked = Promise.withResolvers<void>()
  const revoking = vi.fn<() => Promise<void>>(() => revoked.promise)
  const { handedOver, isFetching, fetchOf } = await startConsumer(revoking)
  onTestFinished(() => revoked.resolve())
  const outlived = await fetchOf(2, '1@10')
  const stale = await fetchOf(1, '0@10')
  stale.fail(NOT_LEADER_FOR_PARTITION)
  await soon(() => expect(revoking).toHaveBeenCalledOnce())

  outlived.answer({ 1: [10] })
  await nextTurn()
  expect(handedOver).toEqual([])
  expect(isFetching(2)).toBe(false)

  revoked.resolve()
  const next = await fetchOf(2, '1@10')
  next.answer({ 1: [10] })
  await fetchOf(2, '1@11')
  expect(handedOver).toEqual(['1: 10'])
})

test('an error that answers a fetch of an assignment that is over does not rebalance the group again', async () => {
  const { joined, fetchOf } = await startConsumer()
  const outlived = await fetchOf(2, '1@10')
  const stale = await fetchOf(1, '0@10')
  stale.fail(NOT_LEADER_FOR_PARTITION)
  await fetchOf(1, '0@10')
  expect(joined).toHaveBeenCalledTimes(2)

  outlived.fail(NOT_LEADER_FOR_PARTITION)
  await fetchOf(2, '1@10')
  expect(joined).toHaveBeenCalledTimes(2)
})

test('two fetchers that read the same partition while its leader moves hand its records over once', async () => {
  const { handedOver, moveLeader, fetchOf } = await startConsumer()
  const fromOldLeader = await fetchOf(2, '1@10')
  moveLeader(1, 1)
  const other = await fetchOf(1, '0@10')
  other.answer({ 0: [10] })
  const fromNewLeader = await fetchOf(1, '0@11', '1@10')
  fromNewLeader.answer({ 1: [10, 11] })
  await fetchOf(1, '0@11', '1@12')

  fromOldLeader.answer({ 1: [10] })
  await nextTurn()
  const next = await fetchOf(1, '0@11', '1@12')
  next.answer({ 1: [12] })
  await fetchOf(1, '0@11', '1@13')

  expect(handedOver).toEqual(['0: 10', '1: 10 11', '1: 12'])
})
