import { describe, expect, test } from 'vitest'
import { endAgain, markAgain } from './lost-markers.ts'
import type { LastTransaction } from './lost-markers.ts'
import type { Broker } from 'kafkajs'

const TOPIC_AUTHORIZATION_FAILED = 29
const identity = { transactionalId: 'lane', producerId: '1', producerEpoch: 1 }
const limitMs = 1_000

function lastOf(...topics: string[]): LastTransaction {
  const batches = topics.map(topic => ({ topic, partition: 0, indexes: [] }))
  return { identity, batches, commits: true, settled: true }
}

const topicsOf = ({ batches }: LastTransaction) => batches.map(({ topic }) => topic)

/** A coordinator that shows and lets write only these topics, and what was announced to it and ended. */
function coordinatorOf({ shown, writable }: { shown: string[]; writable: string[] }) {
  const requests: string[] = []
  const coordinator: Partial<Broker> = {
    metadata: async topics => ({
      brokers: [],
      topicMetadata: topics.map(topic => {
        const isShown = shown.includes(topic)
        const partition = { partitionErrorCode: 0, partitionId: 0, leader: 1, replicas: [1], isr: [1] }
        return {
          topic,
          topicErrorCode: isShown ? 0 : TOPIC_AUTHORIZATION_FAILED,
          partitionMetadata: isShown ? [partition] : [],
        }
      }),
    }),
    addPartitionsToTxn: async ({ topics }) => {
      const { topic } = topics[0]!
      if (!writable.includes(topic)) {
        throw Object.assign(new Error('not authorized'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
      }
      requests.push(`announced ${topic}`)
    },
    addOffsetsToTxn: async () => void requests.push('announced the group'),
    endTxn: async () => void requests.push('ended'),
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  return { coordinator: coordinator as Broker, requests }
}

describe('a topic to which the right was taken away holds up nothing', () => {
  test('when it is not even shown', async () => {
    const { coordinator } = coordinatorOf({ shown: ['user'], writable: [] })
    const last = lastOf('secret', 'user')
    await endAgain(coordinator, last, limitMs)
    expect(topicsOf(last)).toEqual(['user'])
  })

  test('when it may not be written to: the others are marked', async () => {
    const { coordinator, requests } = coordinatorOf({ shown: [], writable: ['user', 'order'] })
    const last = lastOf('user', 'secret', 'order', 'secret-2')
    await markAgain(coordinator, identity, 'group', last)
    expect(requests.toSorted()).toEqual(['announced order', 'announced the group', 'announced user', 'ended'])
    expect(requests.at(-1)).toBe('ended')
  })
})
