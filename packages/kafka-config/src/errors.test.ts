import kafkajs from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { RetriesExhaustedError } from '@kafka-pattern/retry'
import {
  BatchSendError,
  classifyKafkaError,
  ConnectError,
  DeliveryFailedError,
  DeliveryTimeoutError,
  ProducerClosedError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
} from './errors.ts'

const named = (name: string, fields: object = {}): Error =>
  Object.assign(new Error(name), { name, ...fields })
const protocol = (type: string, retriable: boolean): Error =>
  named('KafkaJSProtocolError', { type, code: 1, retriable })
const refusedConnection = named('KafkaJSConnectionError', { code: 'ECONNREFUSED', retriable: true })

describe('classifyKafkaError', () => {
  test.each([
    // The network
    ['retryable', 'connection refused', refusedConnection],
    ['retryable', 'connection closed', named('KafkaJSConnectionClosedError', { retriable: true })],
    ['retryable', 'no answer in time', named('KafkaJSRequestTimeoutError', { retriable: true })],
    ['retryable', 'a bare socket error', named('Error', { code: 'ECONNRESET' })],
    ['retryable', 'an interface that is down', named('KafkaJSConnectionError', { code: 'ENETDOWN' })],
    ['retryable', 'a host that is down', named('KafkaJSConnectionError', { code: 'EHOSTDOWN' })],
    ['retryable', 'a name server that failed', named('KafkaJSConnectionError', { code: 'EAI_FAIL' })],
    [
      'retryable',
      'a host name that is not there yet',
      named('KafkaJSConnectionError', { code: 'ENOTFOUND' }),
    ],
    [
      'fatal',
      'a certificate of an unknown authority',
      named('KafkaJSConnectionError', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    ],
    [
      'fatal',
      'a certificate for another host',
      named('KafkaJSConnectionError', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    ],
    ['fatal', 'TLS with a plaintext port', named('KafkaJSConnectionError', { code: 'EPROTO' })],
    // kafkajs' own
    ['retryable', 'broker not in the metadata', named('KafkaJSBrokerNotFound', { retriable: true })],
    ['retryable', 'metadata not loaded', named('KafkaJSMetadataNotLoaded', { retriable: true })],
    ['retryable', 'a lock that was not free in time', named('KafkaJSLockTimeout', { retriable: false })],
    ['retryable', 'no coordinator found', named('KafkaJSGroupCoordinatorNotFound', { retriable: false })],
    [
      'fatal',
      'an API that the broker does not have',
      named('KafkaJSServerDoesNotSupportApiKey', { retriable: false }),
    ],
    [
      'fatal',
      'wrong password',
      named('KafkaJSSASLAuthenticationError', {
        message: 'SASL PLAIN authentication failed: Authentication failed',
      }),
    ],
    [
      'retryable',
      'connection lost while authenticating',
      named('KafkaJSSASLAuthenticationError', {
        message: 'SASL PLAIN authentication failed: Connection closed by the server',
      }),
    ],
    // The protocol
    ['retryable', 'NOT_LEADER_FOR_PARTITION', protocol('NOT_LEADER_FOR_PARTITION', true)],
    ['retryable', 'NOT_ENOUGH_REPLICAS', protocol('NOT_ENOUGH_REPLICAS', true)],
    [
      'retryable',
      'BROKER_NOT_AVAILABLE, which kafkajs does not retry',
      protocol('BROKER_NOT_AVAILABLE', false),
    ],
    ['retryable', 'REBALANCE_IN_PROGRESS', protocol('REBALANCE_IN_PROGRESS', false)],
    ['not retryable', 'MESSAGE_TOO_LARGE', protocol('MESSAGE_TOO_LARGE', false)],
    ['not retryable', 'INVALID_TOPIC_EXCEPTION', protocol('INVALID_TOPIC_EXCEPTION', false)],
    ['not retryable', 'a code that kafkajs does not know', protocol('KAFKAJS_UNKNOWN_ERROR_CODE', false)],
    ['fatal', 'TOPIC_AUTHORIZATION_FAILED', protocol('TOPIC_AUTHORIZATION_FAILED', false)],
    ['fatal', 'GROUP_AUTHORIZATION_FAILED', protocol('GROUP_AUTHORIZATION_FAILED', false)],
    ['fatal', 'CLUSTER_AUTHORIZATION_FAILED', protocol('CLUSTER_AUTHORIZATION_FAILED', false)],
    ['fatal', 'FENCED_INSTANCE_ID', protocol('FENCED_INSTANCE_ID', false)],
    ['fatal', 'PRODUCER_FENCED', protocol('PRODUCER_FENCED', false)],
    ['fatal', 'INVALID_PRODUCER_EPOCH', protocol('INVALID_PRODUCER_EPOCH', false)],
    ['fatal', 'SASL_AUTHENTICATION_FAILED', protocol('SASL_AUTHENTICATION_FAILED', false)],
    // Wrapped
    [
      'retryable',
      'retries exceeded over a refused connection',
      named('KafkaJSNumberOfRetriesExceeded', { retriable: false, cause: refusedConnection }),
    ],
    [
      'fatal',
      'retries exceeded over missing rights',
      named('KafkaJSNumberOfRetriesExceeded', {
        retriable: false,
        cause: protocol('TOPIC_AUTHORIZATION_FAILED', false),
      }),
    ],
    [
      'retryable',
      'wrapped twice',
      named('KafkaJSNonRetriableError', {
        retriable: false,
        cause: named('KafkaJSNumberOfRetriesExceeded', { retriable: false, cause: refusedConnection }),
      }),
    ],
    [
      'retryable',
      'our own retries exhausted over a refused connection',
      new RetriesExhaustedError(3, refusedConnection),
    ],
    [
      'not retryable',
      'several errors: the worst',
      named('KafkaJSAggregateError', {
        errors: [protocol('NOT_CONTROLLER', true), protocol('INVALID_CONFIG', false)],
      }),
    ],
    // Not Kafka's
    ['not retryable', 'a defect', new TypeError('x is not a function')],
    ['not retryable', 'not an error', 'x'],
    ['not retryable', 'nothing', undefined],
  ] as const)('%s: %s', (category, _what, error) => {
    expect(classifyKafkaError(error)).toBe(category)
  })

  test('understands what kafkajs really throws', () => {
    const closed = new kafkajs.KafkaJSConnectionError('Connection error: connect ECONNREFUSED')
    const exceeded = new kafkajs.KafkaJSNumberOfRetriesExceeded(closed, { retryCount: 5, retryTime: 1 })

    expect(classifyKafkaError(exceeded)).toBe('retryable')
    expect(classifyKafkaError(new kafkajs.KafkaJSNonRetriableError('header value is null'))).toBe(
      'not retryable',
    )
  })
})

test.each([
  [new QueueFullError(1, 100, '10 of 10 records'), 'retryable'],
  [new DeliveryTimeoutError('t', 1, 10, true), 'retryable'],
  [new RecordTooLargeError('t', 10, 'the limit'), 'not retryable'],
  [new RecordRefusedError('t', 0, 'INVALID_RECORD', 'no'), 'not retryable'],
  [new RecordRefusedError('t', 0, 'TOPIC_AUTHORIZATION_FAILED', 'no'), 'fatal'],
  [new ProducerClosedError(), 'fatal'],
  [new ConnectError(refusedConnection), 'retryable'],
  [new DeliveryFailedError('t', 0, protocol('SASL_AUTHENTICATION_FAILED', false)), 'fatal'],
  [
    new BatchSendError([{ offset: '1' }, new QueueFullError(1, 1, ''), new RecordTooLargeError('t', 1, 'x')]),
    'not retryable',
  ],
] as const)('%s carries its class', (error, category) => {
  expect(error.category).toBe(category)
  expect(classifyKafkaError(error)).toBe(category)
  expect(error.name).toBe(error.constructor.name)
})

test('a delivery timeout says whether the record may have been stored, and what went wrong last', () => {
  const unknown = new DeliveryTimeoutError('user', 2, 10_000, true)
  const known = new DeliveryTimeoutError('user', 2, 10_000, false, refusedConnection)

  expect(unknown.message).toBe(
    'not acknowledged within 10000 ms on user[2]: the outcome is unknown, it may have been stored',
  )
  expect(known.message).toContain('it was not stored (last failure: KafkaJSConnectionError)')
  expect(known.cause).toBe(refusedConnection)
})
