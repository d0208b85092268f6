import { expect, test, vi } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const ConsumerGroup = internal('consumer/consumerGroup')
const { createErrorFromCode } = internal('protocol/error')
const { MemberAssignment } = internal('consumer/assignerProtocol')

const GROUP_LOAD_IN_PROGRESS = 14
const NOT_COORDINATOR_FOR_GROUP = 16
const FENCED_INSTANCE_ID = 82
const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

/** A group whose coordinator answers the next joins with these errors. */
function createGroup(errorCodes: number[]) {
  let lookups = 0
  const events: { name: string; payload: object }[] = []
  const onPartitionsRevoked = vi.fn<() => Promise<void>>(async () => {})
  const coordinator = {
    joinGroup: async () => {
      const code = errorCodes.shift()
      if (code !== undefined) throw createErrorFromCode(code)
      return { generationId: 1, leaderId: 'other', memberId: 'me', members: [], groupProtocol: 'any' }
    },
    syncGroup: async () => ({
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { user: [0] } }),
    }),
  }
  const group = new ConsumerGroup({
    retry: { initialRetryTime: 1, retries: 5 },
    cluster: {
      findGroupCoordinator: async () => {
        lookups++
        return coordinator
      },
      findTopicPartitionMetadata: () => [{ partitionId: 0 }],
      committedOffsets: () => ({}),
    },
    groupId: 'group',
    topics: ['user'],
    topicConfigurations: { user: {} },
    assigners: [],
    logger: silent,
    instrumentationEmitter: { emit: (name: string, payload: object) => events.push({ name, payload }) },
    heartbeatInterval: 3_000,
    onPartitionsRevoked,
  })
  return { group, events, onPartitionsRevoked, lookups: () => lookups }
}

test('a coordinator that is still loading, or has moved, is looked up and asked again', async () => {
  const { group, lookups } = createGroup([GROUP_LOAD_IN_PROGRESS, NOT_COORDINATOR_FOR_GROUP])

  await group.joinAndSync()

  expect(lookups()).toBe(3)
  expect(group.assigned()).toEqual([{ topic: 'user', partitions: [0] }])
})

test('several fetchers that find their metadata stale rejoin once', async () => {
  const { group, lookups } = createGroup([])

  await Promise.all([group.joinAndSync(), group.joinAndSync()])

  expect(lookups()).toBe(1)
})

test('an assignment is revoked once, even if the rejoin fails and the consumer stops upon that', async () => {
  const errorCodes: number[] = []
  const { group, onPartitionsRevoked } = createGroup(errorCodes)
  await group.joinAndSync()
  expect(onPartitionsRevoked).not.toHaveBeenCalled()

  errorCodes.push(FENCED_INSTANCE_ID)
  await expect(group.joinAndSync()).rejects.toMatchObject({ type: 'FENCED_INSTANCE_ID' })
  await group.revokeAssignment()

  expect(onPartitionsRevoked).toHaveBeenCalledOnce()
})

test('a join names its generation, so that commits can be tied to it', async () => {
  const { group, events } = createGroup([])

  await group.joinAndSync()

  expect(events).toMatchObject([
    { name: 'consumer.group_join', payload: { memberId: 'me', generationId: 1 } },
  ])
})
