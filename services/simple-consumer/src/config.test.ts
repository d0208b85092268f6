import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings } from './config.ts'

test('everything has a default: broadcast of the three entity topics, printed', () => {
  const settings = parseSettings(Settings, { KAFKA_CONSUMER_GROUP: '' })
  expect(settings).toMatchObject({ KAFKA_TOPICS: ['user', 'family', 'coworker'], PRINT: true })
  expect(settings.KAFKA_CONSUMER_GROUP).toBeUndefined()
})

test('all bad settings are named at once', () => {
  const bad = { KAFKA_BROKERS: 'kafka', KAFKA_TOPICS: 'a,,b', PRINT: 'maybe', TOPIC_PARTITIONS: '0' }
  const wrong = expect.objectContaining({ keys: expect.arrayContaining(Object.keys(bad)) })
  expect(() => parseSettings(Settings, bad)).toThrow(wrong)
})
