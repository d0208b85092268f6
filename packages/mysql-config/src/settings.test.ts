import { expect, test } from 'vitest'
import { z } from 'zod'
import { mysqlSettings } from './settings.ts'

const Settings = z.object(mysqlSettings)

test('what is not set has defaults, but the user has none: every service has its own', () => {
  expect(Settings.parse({ MYSQL_USER: 'user_registry' })).toEqual({
    MYSQL_HOST: '127.0.0.1',
    MYSQL_PORT: 13_306,
    MYSQL_USER: 'user_registry',
    MYSQL_PASSWORD: '',
    MYSQL_DATABASE: 'kafka_pattern',
    MYSQL_TLS: false,
    MYSQL_POOL_SIZE: 10,
  })
  expect(Settings.safeParse({}).success).toBe(false)
})

test.each([
  ['MYSQL_PORT', '0'],
  ['MYSQL_PORT', '65536'],
  ['MYSQL_PORT', 'mysql'],
  ['MYSQL_POOL_SIZE', '0'],
  ['MYSQL_POOL_SIZE', '1.5'],
  ['MYSQL_TLS', 'maybe'],
  ['MYSQL_TLS_CA_FILE', '/nowhere/ca.pem'],
])('%s=%s is refused', (key, value) => {
  const parsed = Settings.safeParse({ MYSQL_USER: 'root', [key]: value })
  expect(parsed.error?.issues.map(issue => issue.path)).toEqual([[key]])
})
