import { constants } from 'node:os'
import { RetriesExhaustedError } from '@kafka-pattern/retry'
import { describe, expect, test } from 'vitest'
import {
  classifyMysqlError,
  isConnectionUsableAfter,
  isOutcomeUnknown,
  SchemaError,
  UnknownOutcomeError,
} from './errors.ts'

const ofServer = (errno: number) => Object.assign(new Error('said by the server'), { errno, code: 'ER_X' })
const ofNetwork = (code: string) => Object.assign(new Error(code), { code, errno: -111, fatal: true })
/** As mysql2 leaves what ended a TLS handshake: with its own code, and the system's number where there was one. */
const ofHandshake = (message: string, errno?: number) =>
  Object.assign(new Error(message), {
    code: 'HANDSHAKE_SSL_ERROR',
    fatal: true,
    ...(errno !== undefined && { errno: -errno }),
  })
const closedState = new Error("Can't add new command when connection is in closed state")

describe('what the server says', () => {
  test.each([
    ...[1213, 1205, 3572, 1412, 1020, 3101, 1613, 1614].map(errno => [errno, 'retry transaction'] as const),
    ...[1053, 1079, 1152, 1184, 1158, 1159, 1160, 1161, 3168, 3169, 4031, 1927, 1317, 1969, 3024, 3032].map(
      errno => [errno, 'unavailable'] as const,
    ),
    ...[1040, 1203, 1226, 1290, 1836, 1792].map(errno => [errno, 'unavailable'] as const),
    ...[1048, 1062, 1153, 1264, 1292, 1364, 1366, 1406, 1451, 1452, 1690, 3140, 3819, 4025].map(
      errno => [errno, 'data'] as const,
    ),
    ...[1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1227, 9999].map(errno => [errno, 'fatal'] as const),
  ])('%i is %s', (errno, expected) => {
    expect(classifyMysqlError(ofServer(errno))).toBe(expected)
  })
})

describe('what is said on this side', () => {
  test.each<[string, unknown, string]>([
    ...[
      'PROTOCOL_CONNECTION_LOST',
      'PROTOCOL_SEQUENCE_TIMEOUT',
      'ECONNRESET',
      'EPIPE',
      'ETIMEDOUT',
      'ECONNREFUSED',
      'ECONNABORTED',
      'EHOSTDOWN',
      'ENETDOWN',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EAI_FAIL',
    ].map((code): [string, unknown, string] => [code, ofNetwork(code), 'unavailable']),
    ['a connection that was lost before the statement', closedState, 'unavailable'],
    ['a full queue', new Error('Queue limit reached.'), 'unavailable'],
    ['an unknown outcome', new UnknownOutcomeError(ofNetwork('EPIPE')), 'unavailable'],
    ['another schema', new SchemaError('load it'), 'fatal'],
    ['a deadlock, again and again', new RetriesExhaustedError(5, ofServer(1213)), 'retry transaction'],
    [
      'a reset during the handshake',
      ofHandshake('read ECONNRESET', constants.errno.ECONNRESET),
      'unavailable',
    ],
    ['a pipe broken during the handshake', ofHandshake('write EPIPE', constants.errno.EPIPE), 'unavailable'],
    [
      'an end during the handshake',
      ofHandshake('Client network socket disconnected before secure TLS connection was established'),
      'unavailable',
    ],
    ['a certificate', ofHandshake('self-signed certificate'), 'fatal'],
    ['a server that speaks no TLS', ofHandshake('write EPROTO', constants.errno.EPROTO), 'fatal'],
    ['a defect', new TypeError('x is not a function'), 'fatal'],
    ['no error at all', 'text', 'fatal'],
  ])('%s', (_what, error, expected) => {
    expect(classifyMysqlError(error)).toBe(expected)
  })
})

test.each<[string, unknown, boolean]>([
  ['after a deadlock: yes', ofServer(1213), true],
  ['after a value that is refused: yes', ofServer(1062), true],
  ['after a statement that is wrong: yes', ofServer(1064), true],
  ['after a read-only server: no', ofServer(1290), false],
  ['after a server that goes away: no', ofServer(1053), false],
  ['after an answer that did not come: no', ofNetwork('PROTOCOL_SEQUENCE_TIMEOUT'), false],
  ['after an error that ends the connection: no', Object.assign(ofServer(1064), { fatal: true }), false],
  ['after what is not known: no', new TypeError('x'), false],
])('a connection goes back into the pool %s', (_what, error, usable) => {
  expect(isConnectionUsableAfter(error)).toBe(usable)
})

test.each<[string, unknown, boolean]>([
  ['the connection was lost', ofNetwork('PROTOCOL_CONNECTION_LOST'), true],
  ['no answer came in time', ofNetwork('PROTOCOL_SEQUENCE_TIMEOUT'), true],
  ['the server was shutting down', ofServer(1053), true],
  ['the commit itself failed', ofServer(1180), true],
  ['the connection was lost before: never sent', closedState, false],
  ['a read-only server refused it', ofServer(1290), false],
  ['group replication rolled it back', ofServer(3101), false],
  ['a value was refused', ofServer(1062), false],
])('the outcome of a COMMIT is unknown when %s: %s', (_what, error, unknown) => {
  expect(isOutcomeUnknown(error)).toBe(unknown)
})
