import { expect, test } from 'vitest'
import { outcomeOfPartition } from './produce-outcome.ts'

test.each([
  // code, records in the batch, what becomes of them
  [0, 5, { kind: 'stored' }],
  [3, 5, { kind: 'again', type: 'UNKNOWN_TOPIC_OR_PARTITION', movedLeader: true, perhapsStored: false }],
  [5, 5, { kind: 'again', type: 'LEADER_NOT_AVAILABLE', movedLeader: true, perhapsStored: false }],
  [6, 5, { kind: 'again', type: 'NOT_LEADER_OR_FOLLOWER', movedLeader: true, perhapsStored: false }],
  [7, 5, { kind: 'again', type: 'REQUEST_TIMED_OUT', movedLeader: false, perhapsStored: true }],
  [19, 5, { kind: 'again', type: 'NOT_ENOUGH_REPLICAS', movedLeader: false, perhapsStored: false }],
  [
    20,
    5,
    { kind: 'again', type: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', movedLeader: false, perhapsStored: true },
  ],
  [89, 1, { kind: 'again', type: 'THROTTLING_QUOTA_EXCEEDED', movedLeader: false, perhapsStored: false }],
  [10, 2, { kind: 'in smaller batches', type: 'MESSAGE_TOO_LARGE', everyBatchTooLarge: true }],
  [10, 1, { kind: 'refused', type: 'MESSAGE_TOO_LARGE' }],
  [18, 2, { kind: 'in smaller batches', type: 'RECORD_LIST_TOO_LARGE', everyBatchTooLarge: true }],
  [87, 2, { kind: 'in smaller batches', type: 'INVALID_RECORD', everyBatchTooLarge: false }],
  [87, 1, { kind: 'refused', type: 'INVALID_RECORD' }],
  [32, 2, { kind: 'in smaller batches', type: 'INVALID_TIMESTAMP', everyBatchTooLarge: false }],
  [32, 1, { kind: 'refused', type: 'INVALID_TIMESTAMP' }],
  [17, 5, { kind: 'refused', type: 'INVALID_TOPIC_EXCEPTION' }],
  [29, 5, { kind: 'refused', type: 'TOPIC_AUTHORIZATION_FAILED' }],
  [31, 5, { kind: 'refused', type: 'CLUSTER_AUTHORIZATION_FAILED' }],
  [-1, 5, { kind: 'refused', type: 'UNKNOWN_SERVER_ERROR' }],
  [9999, 5, { kind: 'refused', type: 'error code 9999' }],
])('error code %i for %i records', (errorCode, recordCount, outcome) => {
  expect(outcomeOfPartition(errorCode, recordCount)).toEqual(outcome)
})

test.each([1, 5])(
  'a timestamp that is the time of this host is no reason to refuse %i records',
  recordCount => {
    expect(outcomeOfPartition(32, recordCount, true)).toEqual({
      kind: 'again',
      type: expect.stringMatching(/^INVALID_TIMESTAMP, .*clock/),
      movedLeader: false,
      perhapsStored: false,
      stampAnew: true,
    })
    expect(outcomeOfPartition(87, 1, true)).toEqual({ kind: 'refused', type: 'INVALID_RECORD' })
  },
)
