import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings, topicSpecs } from './config.ts'

test('everything has a default: broadcast of the three entity topics, printed', () => {
  const settings = parseSettings(Settings, { KAFKA_CONSUMER_GROUP: '' })
  expect(settings).toMatchObject({ KAFKA_TOPICS: ['user', 'family', 'coworker'], PRINT: true })
  expect(settings.KAFKA_CONSUMER_GROUP).toBeUndefined()
})

test('all bad settings are named at once', () => {
  const bad = {
    KAFKA_BROKERS: 'kafka',
    KAFKA_TOPICS: 'a,,b',
    PRINT: 'maybe',
    TOPIC_PARTITIONS: '0',
    TOPIC_REPLICATION_FACTOR: '32768',
  }
  const wrong = expect.objectContaining({ keys: expect.arrayContaining(Object.keys(bad)) })
  expect(() => parseSettings(Settings, bad)).toThrow(wrong)
})

test('a name that no topic can have is refused', () => {
  const wrong = expect.objectContaining({ keys: ['KAFKA_TOPICS'] })
  expect(() => parseSettings(Settings, { KAFKA_TOPICS: 'user,fam ily' })).toThrow(wrong)
})

test('a topic that does not exist yet gets the size that is set', () => {
  const settings = { KAFKA_TOPICS: 'a,b', TOPIC_PARTITIONS: '4', TOPIC_REPLICATION_FACTOR: '3' }
  const size = { partitions: 4, replicationFactor: 3, configs: { 'min.insync.replicas': '2' } }
  expect(topicSpecs(parseSettings(Settings, settings))).toEqual([
    { topic: 'a', ...size },
    { topic: 'b', ...size },
  ])
})
