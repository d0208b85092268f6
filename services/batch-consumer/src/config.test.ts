import { createLogger, parseSettings } from '@kafka-pattern/service-runtime'
import { describe, expect, test } from 'vitest'
import { consumerOptionsOf, limitsOf, retryPolicyOf, Settings, topicSpecs } from './config.ts'

const read = (environment: Record<string, string>) => parseSettings(Settings, environment)

describe('settings', () => {
  test('without any: batches of 5 or 5 s, all three topics, exponential with full jitter', () => {
    const settings = read({})
    expect(limitsOf(settings)).toEqual({
      batchSize: 5,
      batchBytes: 4_194_304,
      batchTimeoutMs: 5_000,
    })
    expect(settings.KAFKA_TOPICS).toEqual(['user', 'family', 'coworker'])
    expect(settings.KAFKA_CONSUMER_GROUP).toBe('batch-consumer')
    expect(settings.DEMO_FAULTS).toBe(false)
    expect(retryPolicyOf(settings)).toEqual({
      kind: 'exponential',
      baseMs: 100,
      factor: 2,
      capMs: 5_000,
      jitter: 'full',
      maxAttempts: 5,
    })
  })

  test('a fixed policy, with a limit of time', () => {
    const settings = read({
      RETRY_KIND: 'fixed',
      RETRY_DELAY_MS: '250',
      RETRY_MAX_ATTEMPTS: '7',
      RETRY_MAX_ELAPSED_MS: '9000',
    })
    expect(retryPolicyOf(settings)).toEqual({
      kind: 'fixed',
      delayMs: 250,
      maxAttempts: 7,
      maxElapsedMs: 9_000,
    })
  })

  test.each([
    ['BATCH_SIZE', '0'],
    ['BATCH_SIZE', 'many'],
    ['BATCH_BYTES', '1023'],
    ['BATCH_TIMEOUT_MS', '-1'],
    ['RETRY_KIND', 'linear'],
    ['RETRY_FACTOR', '0.5'],
    ['RETRY_MAX_ATTEMPTS', '0'],
    ['DEMO_FAULTS', 'maybe'],
    ['DRAIN_TIMEOUT_MS', '25000'],
    ['KAFKA_TOPICS', 'user,,family'],
    ['KAFKA_TOPICS', 'user,fam ily'],
    ['KAFKA_CONSUMER_GROUP', 'team/batch'],
    ['KAFKA_CONSUMER_GROUP', 'g'.repeat(239)],
    ['KAFKA_GROUP_INSTANCE_ID', 'pod/1'],
    ['KAFKA_SESSION_TIMEOUT_MS', '0'],
    ['KAFKA_SESSION_TIMEOUT_MS', '5999'],
    ['KAFKA_SESSION_TIMEOUT_MS', '1800001'],
  ])('%s=%s is refused by name', (key, value) => {
    expect(() => read({ [key]: value })).toThrow(expect.objectContaining({ keys: [key] }))
  })
})

test('the topics that are read, as the settings have them', () => {
  const specs = topicSpecs(
    read({
      KAFKA_TOPICS: 'a,b',
      TOPIC_PARTITIONS: '4',
      TOPIC_REPLICATION_FACTOR: '3',
    }),
  )
  expect(specs).toMatchObject([
    { topic: 'a', partitions: 4, replicationFactor: 3 },
    { topic: 'b', partitions: 4, replicationFactor: 3 },
  ])
})

test('static membership when the instance has a name, and work from the beginning', () => {
  const logger = createLogger({ name: 'test', level: 'silent' })
  expect(consumerOptionsOf(read({}), logger)).not.toHaveProperty('groupInstanceId')
  const named = read({ KAFKA_GROUP_INSTANCE_ID: 'one', KAFKA_SESSION_TIMEOUT_MS: '45000' })
  expect(consumerOptionsOf(named, logger)).toMatchObject({
    groupInstanceId: 'one',
    sessionTimeoutMs: 45_000,
    from: 'earliest',
  })
})
