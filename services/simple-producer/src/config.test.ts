import { createdEntityRecord } from '@kafka-pattern/events'
import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings, producerLimits } from './config.ts'

test('everything has a default', () => {
  expect(parseSettings(Settings, {})).toMatchObject({
    KAFKA_BROKERS: ['127.0.0.1:9092'],
    KAFKA_TOPIC: 'user',
    HOST: '127.0.0.1',
    PORT: 3001,
    TOPIC_PARTITIONS: 3,
    TOPIC_REPLICATION_FACTOR: -1,
    LINGER_MS: 2,
    REQUEST_TIMEOUT_MS: 10_000,
  })
})

test('all bad settings are named at once', () => {
  const bad = {
    KAFKA_BROKERS: 'kafka',
    KAFKA_TOPIC: 'my topic',
    PORT: '70000',
    TOPIC_PARTITIONS: '0',
    LINGER_MS: 'soon',
    REQUEST_TIMEOUT_MS: '0',
  }
  const wrong = expect.objectContaining({ keys: expect.arrayContaining(Object.keys(bad)) })
  expect(() => parseSettings(Settings, bad)).toThrow(wrong)
})

test('a shutdown leaves the requests in flight their time', () => {
  const tooShort = { REQUEST_TIMEOUT_MS: '5000', SHUTDOWN_TIMEOUT_MS: '5000' }
  const wrong = expect.objectContaining({ keys: ['REQUEST_TIMEOUT_MS'] })
  expect(() => parseSettings(Settings, tooShort)).toThrow(wrong)
  expect(parseSettings(Settings, { ...tooShort, SHUTDOWN_TIMEOUT_MS: '5001' })).toBeTruthy()
})

test('a record lingers for no longer than it has time to be stored', () => {
  const wrong = expect.objectContaining({ keys: ['LINGER_MS'] })
  expect(() => parseSettings(Settings, { LINGER_MS: '5001' })).toThrow(wrong)
  expect(parseSettings(Settings, { LINGER_MS: '5000' })).toBeTruthy()
})

test.each(['.', '..', 'a/b', 'x'.repeat(250)])('no broker takes the topic name %s', name => {
  const wrong = expect.objectContaining({ keys: ['KAFKA_TOPIC'] })
  expect(() => parseSettings(Settings, { KAFKA_TOPIC: name })).toThrow(wrong)
})

test('as many records may wait as was set, however large they are', () => {
  const { maxQueuedRecords = 0, maxQueuedBytes = 0 } = producerLimits(
    parseSettings(Settings, { MAX_QUEUED_RECORDS: '1000000' }),
  )
  // What takes the most bytes as JSON: each character is escaped.
  const largest = createdEntityRecord(
    { level: 100, name: '\u{1}'.repeat(200) },
    { topic: 'x'.repeat(249), correlationId: 'x'.repeat(128) },
  )
  expect(maxQueuedRecords).toBe(1_000_000)
  expect(maxQueuedBytes / maxQueuedRecords).toBeGreaterThan(2 * JSON.stringify(largest).length)
})

test('a half given security setting is named, and no secret shown', () => {
  const onlyThePassword = { KAFKA_SASL_PASSWORD: 'hidden' }
  expect(() => parseSettings(Settings, onlyThePassword)).toThrow(/KAFKA_SASL_PASSWORD(?!.*hidden)/s)
})
