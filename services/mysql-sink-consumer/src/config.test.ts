import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { Settings, mysqlOptionsOf, topicSpecs } from './config.ts'

const parse = (environment: Record<string, string> = {}) =>
  parseSettings(Settings, { KAFKA_BROKERS: 'localhost:9092', ...environment })

test('the defaults: effectively once, from cdc.users, as the user of infra/mysql', () => {
  expect(parse()).toMatchObject({
    DELIVERY: 'effectively-once',
    KAFKA_TOPICS: ['cdc.users'],
    REPLICA_TABLE: 'users_replica',
    MYSQL_USER: 'mysql_sink_consumer',
    BATCH_SIZE: 2_000,
  })
})

test.each([
  ['BATCH_SIZE', '0'],
  ['BATCH_SIZE', '10001'],
  ['DELIVERY', 'exactly-once'],
  ['REPLICA_TABLE', 'users; DROP TABLE users'],
  ['REPLICA_TABLE', 'other.users'],
  ['DRAIN_TIMEOUT_MS', '25000'],
  ['MYSQL_PORT', 'x'],
  ['KAFKA_TOPICS', 'cdc.users,cdc/users'],
  ['KAFKA_CONSUMER_GROUP', 'team/sink'],
  ['KAFKA_GROUP_INSTANCE_ID', 'pod/1'],
  ['KAFKA_SESSION_TIMEOUT_MS', '0'],
  ['KAFKA_SESSION_TIMEOUT_MS', '5999'],
])('%s=%s is refused', (key, value) => {
  expect(() => parse({ [key]: value })).toThrow(key)
})

test('a transaction of an owner that froze ends when its membership does', () => {
  expect(mysqlOptionsOf(parse({ KAFKA_SESSION_TIMEOUT_MS: '6500' })).onConnect).toContain(
    'SET SESSION wait_timeout = 7',
  )
})

test('the topic of rows is compacted, that of events is not', () => {
  const specs = topicSpecs(parse({ KAFKA_TOPICS: 'cdc.users,outbox.event.user' }))
  expect(specs.map(({ topic, configs }) => [topic, configs?.['cleanup.policy']])).toEqual([
    ['cdc.users', 'compact'],
    ['outbox.event.user', undefined],
  ])
})
