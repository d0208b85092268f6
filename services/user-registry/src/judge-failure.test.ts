import { MysqlConfigError, SchemaError, UnknownOutcomeError } from '@kafka-pattern/mysql-config'
import { expect, test } from 'vitest'
import { EventLostError } from './dual-write.ts'
import { DeadlineError, judgeFailure } from './judge-failure.ts'

const cause = new Error('connect ECONNREFUSED 10.0.0.7:3306')

test.each<[string, unknown, RegExp]>([
  ['no database', new MysqlConfigError('away', 'unavailable', cause), /not available; nothing was stored/],
  ['a commit without an answer', new UnknownOutcomeError(cause), /may have been stored: read the user/],
  ['no answer in time', new DeadlineError(9_000), /may yet be stored: read the user/],
  ['others in the way', new MysqlConfigError('deadlock', 'retry transaction', cause), /nothing was stored/],
  ['a dual write that lost its event', new EventLostError(cause), /is stored.*nobody will hear of it/],
])('%s: try later, and what became of it', (_what, error, reason) => {
  const unavailable = judgeFailure(error)
  expect(unavailable?.reason).toMatch(reason)
  expect(unavailable?.reason).not.toContain('10.0.0.7')
  expect(unavailable?.retryAfterSeconds).toBeGreaterThan(0)
})

test.each<[string, unknown]>([
  ['a table that is gone', new SchemaError('load it')],
  ['a value that the table refuses', new MysqlConfigError('too long', 'data')],
  ['a defect', new TypeError('x is not a function')],
])('%s: nothing that waiting would help', (_what, error) => {
  expect(judgeFailure(error)).toBeNull()
})
