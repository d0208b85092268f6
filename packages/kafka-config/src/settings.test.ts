import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  groupInstanceId,
  kafkaSettings,
  kafkaSettingsWithMskIam,
  refineKafkaSettings,
  replicationFactor,
  topicName,
  topicNames,
} from './settings.ts'

const schema = z.object(kafkaSettings).superRefine(refineKafkaSettings)

test('without anything set: the local broker, in plain text', () => {
  expect(schema.parse({})).toEqual({
    KAFKA_BROKERS: ['127.0.0.1:9092'],
    KAFKA_CLUSTER_NAME: 'kafka-pattern',
    KAFKA_TLS: false,
  })
})

test('brokers are a list of host:port', () => {
  expect(schema.parse({ KAFKA_BROKERS: ' kafka-1:9092, [::1]:9093 ,' })).toMatchObject({
    KAFKA_BROKERS: ['kafka-1:9092', '[::1]:9093'],
  })
})

const caFile = import.meta.filename

test.each([
  ['no broker', { KAFKA_BROKERS: ' , ' }, ['KAFKA_BROKERS']],
  ['a broker without port', { KAFKA_BROKERS: 'kafka-1:9092,kafka-2' }, ['KAFKA_BROKERS']],
  ['a port out of range', { KAFKA_BROKERS: 'kafka-1:99999' }, ['KAFKA_BROKERS']],
  ['a flag that is none', { KAFKA_TLS: 'perhaps' }, ['KAFKA_TLS']],
  ['an unknown mechanism', { KAFKA_SASL_MECHANISM: 'gssapi' }, ['KAFKA_SASL_MECHANISM']],
  [
    'a file that is not there',
    { KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: '/no/such.pem' },
    ['KAFKA_TLS_CA_FILE'],
  ],
  ['an authority without TLS', { KAFKA_TLS_CA_FILE: caFile }, ['KAFKA_TLS_CA_FILE']],
  ['a mechanism alone', { KAFKA_SASL_MECHANISM: 'plain' }, ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']],
  [
    'a mechanism without password',
    { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'alice' },
    ['KAFKA_SASL_PASSWORD'],
  ],
  ['a password without mechanism', { KAFKA_SASL_PASSWORD: 'secret' }, ['KAFKA_SASL_PASSWORD']],
])('names the bad key: %s', (_, environment, keys) => {
  const { error } = schema.safeParse(environment)
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(keys)
})

const schemaWithMskIam = z.object(kafkaSettingsWithMskIam).superRefine(refineKafkaSettings)
const mskIam = { KAFKA_SASL_MECHANISM: 'aws-msk-iam' }

test.each([
  ['MSK IAM without TLS', mskIam, ['KAFKA_TLS']],
  [
    'MSK IAM with a user of its own',
    { ...mskIam, KAFKA_TLS: 'true', KAFKA_SASL_USERNAME: 'alice', KAFKA_SASL_PASSWORD: 'secret' },
    ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'],
  ],
  ['MSK IAM over TLS: nothing', { ...mskIam, KAFKA_TLS: 'true' }, undefined],
  ['a mechanism alone', { KAFKA_SASL_MECHANISM: 'plain' }, ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']],
])('with a signer for MSK IAM, names the bad key: %s', (_, environment, keys) => {
  const { error } = schemaWithMskIam.safeParse(environment)
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(keys)
})

test('a service without a signer refuses MSK IAM', () => {
  const { error } = schema.safeParse({ ...mskIam, KAFKA_TLS: 'true' })
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(['KAFKA_SASL_MECHANISM'])
})

test('puts no password into a message', () => {
  const { error } = schema.safeParse({ KAFKA_SASL_PASSWORD: 'hunter2', KAFKA_BROKERS: 'kafka:9092' })
  expect(z.prettifyError(error!)).not.toContain('hunter2')
})

test.each([
  [{ KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: caFile }],
  [{ KAFKA_SASL_MECHANISM: 'scram-sha-256', KAFKA_SASL_USERNAME: 'alice', KAFKA_SASL_PASSWORD: 'secret' }],
])('accepts %o', environment => {
  expect(schema.safeParse(environment).success).toBe(true)
})

test('replicas: a number, or -1 for what the brokers do by default, which is the default here', () => {
  expect(replicationFactor.parse(undefined)).toBe(-1)
  expect(replicationFactor.parse(' -1 ')).toBe(-1)
  expect(replicationFactor.parse('3')).toBe(3)
  for (const wrong of ['0', '-2', '32768', '1.5', 'three', '']) {
    expect(replicationFactor.safeParse(wrong).success, wrong).toBe(false)
  }
})

test.each(['user', 'cdc.users', 'a_b-C.9', '...', 'x'.repeat(249)])(
  '%s can name a topic or a static member',
  name => {
    expect(topicName.safeParse(name).success).toBe(true)
    expect(topicNames.safeParse(['user', name]).success).toBe(true)
    expect(groupInstanceId.safeParse(name).success).toBe(true)
  },
)

test.each(['', '.', '..', 'a b', 'a/b', 'größe', 'user\n', 'x'.repeat(250)])('%j can name neither', name => {
  expect(topicName.safeParse(name).success).toBe(false)
  expect(topicNames.safeParse(['user', name]).success).toBe(false)
  expect(groupInstanceId.safeParse(name).success).toBe(false)
})
