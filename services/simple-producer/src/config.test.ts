import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings } from './config.ts'

test('everything has a default', () => {
  expect(parseSettings(Settings, {})).toMatchObject({
    KAFKA_BROKERS: ['127.0.0.1:9092'],
    KAFKA_TOPIC: 'user',
    HOST: '127.0.0.1',
    PORT: 3001,
    TOPIC_PARTITIONS: 3,
    TOPIC_REPLICATION_FACTOR: -1,
    LINGER_MS: 5,
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

test('a half given security setting is named, and no secret shown', () => {
  const onlyThePassword = { KAFKA_SASL_PASSWORD: 'hidden' }
  expect(() => parseSettings(Settings, onlyThePassword)).toThrow(/KAFKA_SASL_PASSWORD(?!.*hidden)/s)
})
