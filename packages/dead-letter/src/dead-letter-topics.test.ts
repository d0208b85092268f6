import { expect, test } from 'vitest'
import { deadLetterTopicSpec } from './dead-letter-topics.ts'

test.each([
  [3, '2'],
  [1, '1'],
])(
  'with %i replicas a dead letter is acknowledged when %s have it',
  (replicationFactor, minInsyncReplicas) => {
    const spec = deadLetterTopicSpec({ topic: 't', group: 'g', partitions: 3, replicationFactor })
    expect(spec).toMatchObject({ topic: 't.g.dlt', replicationFactor })
    expect(spec.configs?.['min.insync.replicas']).toBe(minInsyncReplicas)
  },
)

test('what brokers do by default neither deletes a dead letter nor refuses one for its time', () => {
  const { configs } = deadLetterTopicSpec({ topic: 't', group: 'g', partitions: 3, replicationFactor: 1 })
  const anyTime = String(2n ** 63n - 2n)
  expect(configs).toMatchObject({
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'CreateTime',
    'message.timestamp.after.max.ms': anyTime,
    'message.timestamp.before.max.ms': anyTime,
  })
})
