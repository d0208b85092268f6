/** From where a partition is fetched when the group, a seek and the log itself say different things. */
import { expect, test } from 'vitest'
import { followerOfOther, internal } from './kafkajs-under-test.ts'

const ConsumerGroup = internal('consumer/consumerGroup')
const { MemberAssignment } = internal('consumer/assignerProtocol')

const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

/** A member of a group that has committed offset 50 of both partitions, of which the oldest records are those at 70. */
function createMember() {
  const committed: Record<number, string> = { 0: '50', 1: '50' }
  const commits: object[] = []
  let assigned: number[] = []
  let asked: string[] = []
  let exists = true
  const broker = {
    isConnected: () => true,
    joinGroup: async () => followerOfOther,
    syncGroup: async () => ({
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { user: assigned } }),
    }),
    offsetFetch: async () => ({
      responses: [
        {
          topic: 'user',
          partitions: assigned.map(partition => ({ partition, offset: committed[partition] })),
        },
      ],
    }),
    offsetCommit: async (commit: object) => void commits.push(commit),
    fetch: async ({ topics }: { topics: { partitions: { partition: number; fetchOffset: string }[] }[] }) => {
      asked = topics.flatMap(({ partitions }) =>
        partitions.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`),
      )
      return { responses: [] }
    },
  }
  const byGroup = {}
  const group = new ConsumerGroup({
    retry: {},
    cluster: {
      findGroupCoordinator: async () => broker,
      findBroker: async () => broker,
      refreshMetadataIfNecessary: async () => {},
      findTopicPartitionMetadata: () => [0, 1].map(partitionId => ({ partitionId, leader: 1 })),
      committedOffsets: () => byGroup,
      defaultOffset: () => -2,
      fetchTopicsOffset: async (topics: { topic: string; partitions: { partition: number }[] }[]) =>
        topics
          .filter(() => exists)
          .map(({ topic, partitions }) => ({
            topic,
            partitions: partitions.map(({ partition }) => ({ partition, offset: '70' })),
          })),
    },
    groupId: 'group',
    topics: ['user'],
    topicConfigurations: { user: { fromBeginning: true } },
    assigners: [],
    logger: silent,
    instrumentationEmitter: { emit() {} },
    autoCommit: false,
    heartbeatInterval: 3_000,
  })
  return {
    group,
    committed,
    commits,
    /** As the metadata have it from now on. */
    remove: () => {
      exists = false
    },
    join: async (...partitions: number[]) => {
      assigned = partitions
      await group.joinAndSync()
    },
    /** `partition@offset` of what is asked for. */
    fetch: async () => {
      await group.fetch('1')
      return asked
    },
  }
}

test('a seek that was not used before the partition moved is forgotten when it returns', async () => {
  const { group, committed, join, fetch } = createMember()
  await join(0, 1)
  group.seek({ topic: 'user', partition: 1, offset: '60' })
  await join(0)
  committed[1] = '5000'
  await join(0, 1)

  expect(await fetch()).toEqual(['0@50', '1@5000'])
})

test('a seek before the first join holds', async () => {
  const { group, join, fetch } = createMember()
  group.seek({ topic: 'user', partition: 1, offset: '60' })
  await join(0, 1)

  expect(await fetch()).toEqual(['0@50', '1@60'])
})

test('a position that retention has overtaken moves to the oldest record, and nothing is committed', async () => {
  const { group, commits, join, fetch } = createMember()
  await join(0, 1)
  expect(await fetch()).toEqual(['0@50', '1@50'])
  await group.recoverFromOffsetOutOfRange({ topic: 'user', partition: 0 })

  expect(await fetch()).toEqual(['0@70', '1@50'])
  expect(commits).toEqual([])
})

test('a partition that is gone when retention has overtaken its position keeps that', async () => {
  const { group, remove, join, fetch } = createMember()
  await join(0, 1)
  await fetch()
  remove()
  await group.recoverFromOffsetOutOfRange({ topic: 'user', partition: 0 })

  expect(await fetch()).toEqual(['0@50', '1@50'])
})
