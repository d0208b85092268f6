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
