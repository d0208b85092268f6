import { parseSettings } from '@kafka-pattern/service-runtime'
import { expect, test } from 'vitest'
import { mysqlOptions, Settings } from './config.ts'

test('without settings it writes row and outbox, as the user of the development database', () => {
  expect(parseSettings(Settings, {})).toMatchObject({
    WRITE_MODE: 'outbox',
    PORT: 3010,
    MYSQL_USER: 'user_registry',
    REQUEST_TIMEOUT_MS: 10_000,
  })
})

test.each([
  ['WRITE_MODE', 'both'],
  ['PORT', '-1'],
  ['MYSQL_PORT', '0'],
  ['REQUEST_TIMEOUT_MS', '999'],
  ['REQUEST_TIMEOUT_MS', '25000'],
])('%s=%s is refused', (key, value) => {
  expect(() => parseSettings(Settings, { [key]: value })).toThrow(key)
})

test.each([
  ['1000', 400, 1],
  ['10000', 4_000, 2],
])(
  'a request of %s ms waits %i ms for a statement, and %i s for others',
  (timeout, answerMs, lockSeconds) => {
    const options = mysqlOptions(parseSettings(Settings, { REQUEST_TIMEOUT_MS: timeout }))
    expect(options).toEqual({
      answerTimeoutMs: answerMs,
      onConnect: [`SET innodb_lock_wait_timeout = ${lockSeconds}`],
    })
  },
)
