import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings, topicSpecs } from './config.ts'

test('everything has a default', () => {
  const settings = parseSettings(Settings, {})
  expect(settings).toMatchObject({
    KAFKA_BROKERS: ['127.0.0.1:9092'],
    KAFKA_TOPIC: 'user',
    ANSWER_MARGIN_MS: 500,
    CONNECTION_MAX_AGE_MS: 300_000,
  })
  expect(topicSpecs(settings)).toMatchObject([{ topic: 'user', partitions: 3, replicationFactor: -1 }])
})

test('all bad settings are named at once', () => {
  const bad = {
    KAFKA_BROKERS: 'kafka',
    KAFKA_TOPIC: 'my topic',
    TOPIC_PARTITIONS: '0',
    ANSWER_MARGIN_MS: 'soon',
  }
  const wrong = expect.objectContaining({ keys: expect.arrayContaining(Object.keys(bad)) })
  expect(() => parseSettings(Settings, bad)).toThrow(wrong)
})

test.each(['.', '..', 'a/b', 'x'.repeat(250)])('no broker takes the topic name %s', name => {
  expect(keysOf({ KAFKA_TOPIC: name })).toEqual(['KAFKA_TOPIC'])
})

test('MSK IAM needs TLS and a region', () => {
  const mskIam = { KAFKA_SASL_MECHANISM: 'aws-msk-iam', AWS_REGION: 'eu-central-1' }
  expect(keysOf(mskIam)).toEqual(['KAFKA_TLS'])
  expect(keysOf({ ...mskIam, KAFKA_TLS: 'true' })).toBeUndefined()
  const { AWS_REGION: _region, ...withoutRegion } = mskIam
  expect(keysOf({ ...withoutRegion, KAFKA_TLS: 'true' })).toEqual(['AWS_REGION'])
})

function keysOf(environment: Record<string, string>): string[] | undefined {
  const { error } = Settings.safeParse(environment)
  return error?.issues.map(({ path }) => path.join('.'))
}
