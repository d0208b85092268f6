import { DeliveryTimeoutError } from '@kafka-pattern/kafka-config'
import { MysqlConfigError } from '@kafka-pattern/mysql-config'
import { expect, test } from 'vitest'
import { describeOutage } from './describe-outage.ts'

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:13306'), { code: 'ECONNREFUSED' })
/** As mysql2 leaves it. */
const refusedByMysql = Object.assign(new Error(refused.message), { code: refused.code, fatal: true })

test.each<[string, Error, RegExp]>([
  [
    'a service that was stopped',
    new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:3001') }),
    /^A service gave no answer any more: connect ECONNREFUSED 127.0.0.1:3001\nWas it stopped/,
  ],
  ['a service that hangs', AbortSignal.abort(new DOMException('15 s', 'TimeoutError')).reason, /^A service/],
  ['Kafka', new DeliveryTimeoutError('user', 0, 10_000, false, undefined), /^Kafka .*10000 ms on user\[0\]/],
  ['Kafka, as its socket says it', refused, /^Kafka gave no answer any more: connect ECONNREFUSED/],
  ['MySQL, as its socket says it', refusedByMysql, /^MySQL gave no answer any more: connect ECONNREFUSED/],
  ['MySQL', new MysqlConfigError('read-only', 'unavailable'), /^MySQL .*read-only/],
])('%s', (_what, error, sentence) => {
  expect(describeOutage(error)).toMatch(sentence)
})

test.each([[new TypeError('x is not a function')], [new Error('x')], ['x'], [undefined]])(
  '%s is a defect, and no outage',
  error => {
    expect(describeOutage(error)).toBe(null)
  },
)
