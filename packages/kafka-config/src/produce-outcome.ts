/**
 * What the broker's answer for one partition of a produce request means for the records that were sent to it. Pure.
 * Codes: https://kafka.apache.org/protocol#protocol_error_codes
 */

export type ProduceOutcome =
  | { kind: 'stored' }
  /** Send the same records again, in the same order, after a pause; `stampAnew`: with the time of that attempt. */
  | { kind: 'again'; type: string; movedLeader: boolean; perhapsStored: boolean; stampAnew?: true }
  /** One of several records is the reason: send them in smaller batches, so that only that one fails. */
  | { kind: 'in smaller batches'; type: string; everyBatchTooLarge: boolean }
  | { kind: 'refused'; type: string }

/**
 * @param errorCode of the partition in the produce response, 0 = none
 * @param isTimeOfHost no caller gave one of the records its timestamp
 */
export function outcomeOfPartition(
  errorCode: number,
  recordCount: number,
  isTimeOfHost = false,
): ProduceOutcome {
  if (errorCode === 0) return { kind: 'stored' }
  if (errorCode === invalidTimestamp && isTimeOfHost) return wrongClock
  const transient = transientCodes[errorCode]
  if (transient !== undefined) {
    return { kind: 'again', movedLeader: false, perhapsStored: false, ...transient }
  }
  const type = refusedTypes[errorCode] ?? `error code ${errorCode}`
  if (recordCount > 1 && causedByOneRecord.has(type)) {
    return { kind: 'in smaller batches', type, everyBatchTooLarge: tooLarge.has(type) }
  }
  return { kind: 'refused', type }
}

const invalidTimestamp = 32

/** Not the fault of a record: the clock of this host is wrong for all of them and can be put right. */
const wrongClock: ProduceOutcome = {
  kind: 'again',
  type: 'INVALID_TIMESTAMP, the clocks of this host and of the broker are too far apart',
  movedLeader: false,
  perhapsStored: false,
  stampAnew: true,
}

const transientCodes: Record<number, { type: string; movedLeader?: true; perhapsStored?: true }> = {
  2: { type: 'CORRUPT_MESSAGE' },
  3: { type: 'UNKNOWN_TOPIC_OR_PARTITION', movedLeader: true },
  5: { type: 'LEADER_NOT_AVAILABLE', movedLeader: true },
  6: { type: 'NOT_LEADER_OR_FOLLOWER', movedLeader: true },
  7: { type: 'REQUEST_TIMED_OUT', perhapsStored: true },
  8: { type: 'BROKER_NOT_AVAILABLE', movedLeader: true },
  9: { type: 'REPLICA_NOT_AVAILABLE', movedLeader: true },
  13: { type: 'NETWORK_EXCEPTION', movedLeader: true, perhapsStored: true },
  19: { type: 'NOT_ENOUGH_REPLICAS' },
  20: { type: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', perhapsStored: true },
  56: { type: 'KAFKA_STORAGE_ERROR', movedLeader: true },
  74: { type: 'FENCED_LEADER_EPOCH', movedLeader: true },
  75: { type: 'UNKNOWN_LEADER_EPOCH' },
  89: { type: 'THROTTLING_QUOTA_EXCEEDED' },
}

const refusedTypes: Record<number, string> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  10: 'MESSAGE_TOO_LARGE',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  21: 'INVALID_REQUIRED_ACKS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  [invalidTimestamp]: 'INVALID_TIMESTAMP',
  35: 'UNSUPPORTED_VERSION',
  42: 'INVALID_REQUEST',
  43: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  44: 'POLICY_VIOLATION',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  87: 'INVALID_RECORD',
}

const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

const causedByOneRecord = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
])
