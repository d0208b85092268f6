import { expect, test } from 'vitest'
import { internal } from './kafkajs-patch/kafkajs-under-test.ts'
import { TopicSetupError, differencesBetween, requireLeaders } from './topics.ts'

const spec = { topic: 't', partitions: 3, replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } }
const state = { partitions: 3, replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } }

test.each([
  ['the same', {}, []],
  ['configs that nobody specified', { configs: { ...state.configs, 'retention.ms': '1' } }, []],
  ['partitions', { partitions: 6 }, [{ what: 'partitions', wanted: '3', found: '6' }]],
  ['replication factor', { replicationFactor: 3 }, [{ what: 'replication factor', wanted: '1', found: '3' }]],
  [
    'a config',
    { configs: { 'cleanup.policy': 'delete' } },
    [{ what: 'cleanup.policy', wanted: 'compact', found: 'delete' }],
  ],
  ['an unknown config', { configs: {} }, [{ what: 'cleanup.policy', wanted: 'compact', found: 'unknown' }]],
])('differences: %s', (_, changes, expected) => {
  expect(differencesBetween(spec, { ...state, ...changes })).toEqual(expected)
})

test('differences: replicas that were left to the brokers are right in any number', () => {
  expect(differencesBetween({ ...spec, replicationFactor: -1 }, { ...state, replicationFactor: 3 })).toEqual(
    [],
  )
})

function topicWithLeaders(leaders: number[]) {
  return { name: 't', partitions: leaders.map((leader, partitionId) => ({ partitionId, leader })) }
}

test('a partition without a leader is waited for', () => {
  expect(() => requireLeaders([topicWithLeaders([1, 2])])).not.toThrow()
  expect(() => requireLeaders([topicWithLeaders([1, -1, 2])])).toThrow('no leader yet for t[1]')
  expect(() => requireLeaders([topicWithLeaders([])])).toThrow('no leader yet')
})

const { createErrorFromCode } = internal('protocol/error')
const [invalidConfig, topicNotAllowed, saslFailed] = [40, 29, 58].map(code => createErrorFromCode(code))
const ofATopic = (error: unknown) => Object.assign(new Error('Topic creation errors'), { errors: [error] })

test.each([
  ['a config that the broker does not know', ofATopic(invalidConfig), true],
  ['no right to create it', ofATopic(topicNotAllowed), true],
  ['no right to see it', topicNotAllowed, true],
  ['credentials', saslFailed, false],
  [
    'credentials, by kafkajs',
    Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' }),
    false,
  ],
  ['a certificate', Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), false],
  ['a defect', new TypeError('undefined is not a function'), false],
])('whether a topic is the reason: %s', (_, cause, expected) => {
  expect(new TopicSetupError(['t'], cause).isOfTopic).toBe(expected)
})
