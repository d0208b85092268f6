import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const Broker = internal('broker')
const METADATA = 3
const LEADER_NOT_AVAILABLE = 5
const silent = { debug() {}, info() {}, warn() {}, error() {}, namespace: () => silent }

test('one partition without a leader does not hide where the others are', async () => {
  const answer = {
    throttleTime: 0,
    brokers: [],
    clusterId: 'c',
    controllerId: 1,
    topicMetadata: [
      {
        topicErrorCode: 0,
        topic: 'user',
        partitionMetadata: [
          { partitionErrorCode: 0, partitionId: 0, leader: 1 },
          { partitionErrorCode: LEADER_NOT_AVAILABLE, partitionId: 1, leader: -1 },
        ],
      },
    ],
  }
  const broker = new Broker({
    connectionPool: {
      getConnection: async () => ({
        getSupportAuthenticationProtocol: () => true,
        authenticate: async () => {},
      }),
      isConnected: () => false,
      setVersions() {},
      send: async ({ response }) => response.parse(answer),
    },
    logger: silent,
    versions: { [METADATA]: { minVersion: 0, maxVersion: 6 } },
    partialMetadata: true,
  })
  await broker.connect()

  await expect(broker.metadata(['user'])).resolves.toEqual(answer)
})
