import { expect, test } from 'vitest'
import {
  DeliveryTimeoutError,
  KafkaConfigError,
  ProducerClosedError,
  QueueFullError,
  RecordTooLargeError,
} from './errors.ts'
import { judgeSendFailure } from './judge-send-failure.ts'

test.each([
  ['a full queue', new QueueFullError(1, 100, '10 records'), /was not stored/],
  ['a producer that closes', new ProducerClosedError(), /was not stored/],
  ['no acknowledgement, never sent', new DeliveryTimeoutError('user', 0, 100, false), /was not stored/],
  ['no acknowledgement, sent', new DeliveryTimeoutError('user', 0, 100, true), /may have been stored/],
  ['another passing trouble', new KafkaConfigError('no leader', 'retryable'), /was not stored/],
])('%s is worth another try later, and says whether the record was stored', (_what, error, reason) => {
  const judged = judgeSendFailure(error)
  expect(judged).toMatchObject({ kind: 'unavailable', reason: expect.stringMatching(reason) })
  expect(judged?.retryAfterSeconds).toBeGreaterThan(0)
})

test.each([
  ['a record that is too large', new RecordTooLargeError('user', 2_000_000, 'a limit')],
  ['a missing right', new KafkaConfigError('not authorized', 'fatal')],
  ['a defect', new TypeError('x is not a function')],
  ['what is no error at all', 'oops'],
])('%s is a defect, which another try does not mend', (_what, error) => {
  expect(judgeSendFailure(error)).toBeNull()
})
