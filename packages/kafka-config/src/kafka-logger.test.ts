import kafkajs from 'kafkajs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { kafkaLogger, levelOf } from './kafka-logger.ts'

const { logLevel } = kafkajs

test.each([
  // What kafkajs retries, or throws to whoever asked, is no error of the service.
  [logLevel.ERROR, 'Response GroupCoordinator(key: 10, version: 2)', 'debug'],
  [logLevel.ERROR, 'Connection error: connect ECONNREFUSED 127.0.0.1:9092', 'debug'],
  [logLevel.ERROR, 'Failed to connect to seed broker, trying another broker from the list', 'debug'],
  [logLevel.ERROR, 'Crash: KafkaJSNumberOfRetriesExceeded: Closed connection', 'debug'],
  [logLevel.INFO, 'Pausing fetching from 1 topics', 'debug'],
  [logLevel.WARN, 'The group is rebalancing, re-joining', 'info'],
  [logLevel.ERROR, 'The coordinator is not aware of this member, re-joining the group', 'info'],
  // What nobody else is told about.
  [logLevel.ERROR, 'Caught error in onPartitionsRevoked: out of order', 'error'],
  [logLevel.ERROR, 'Offset out of range, resetting to default offset', 'warn'],
  [logLevel.DEBUG, 'Request Fetch(key: 1, version: 11)', 'trace'],
])('a line of level %i, "%s", is %s', (level, message, expected) => {
  expect(levelOf(level, message)).toBe(expected)
})

test('keeps the fields that say where, and no others', () => {
  const lines: Record<string, unknown>[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const write = kafkaLogger(logger).logCreator(logLevel.DEBUG)
  write({
    namespace: 'Connection',
    level: logLevel.DEBUG,
    label: 'DEBUG',
    log: {
      timestamp: '',
      message: 'Response SaslAuthenticate(key: 36, version: 1)',
      broker: 'kafka:9092',
      payload: 'p=c2VjcmV0',
      data: { authBytes: 'c2VjcmV0' },
    },
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ kafkajs: 'Connection', broker: 'kafka:9092' })
  expect(JSON.stringify(lines)).not.toContain('c2VjcmV0')
})
