/** A row that makes a larger record than Kafka takes: waiting does not help, and the others must not wait for it. */
import { BatchSendError, RecordTooLargeError } from '@kafka-pattern/kafka-config'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'

export interface TooLarge {
  readonly record: OutgoingRecord
  /** How large it is, and over which limit. */
  readonly reason: string
}

/**
 * Pure. What the error of a `sendBatch` of these records says of single ones: which are too large, and which are to be sent after all, in
 * their order. Null: it failed for another reason.
 */
export function tooLargeAmong(
  error: unknown,
  records: readonly OutgoingRecord[],
): { tooLarge: TooLarge[]; rest: OutgoingRecord[] } | null {
  if (error instanceof RecordTooLargeError) {
    // All were refused together, before anything was sent, for one of them or several: the largest is among those.
    const largest = records.toSorted((a, b) => sizeBytesOf(b) - sizeBytesOf(a))[0]!
    return {
      tooLarge: [{ record: largest, reason: error.message }],
      rest: records.filter(record => record !== largest),
    }
  }
  if (!(error instanceof BatchSendError)) return null
  const { outcomes } = error
  const tooLarge: TooLarge[] = []
  const others: OutgoingRecord[] = []
  let areOthersStored = true
  for (const [index, record] of records.entries()) {
    const outcome = outcomes[index]
    if (outcome instanceof RecordTooLargeError) tooLarge.push({ record, reason: outcome.message })
    else {
      others.push(record)
      areOthersStored &&= !(outcome instanceof Error)
    }
  }
  if (tooLarge.length === 0) return null
  // All of them again or none: what failed must not come behind a later state of its row.
  return { tooLarge, rest: areOthersStored ? [] : others }
}

function sizeBytesOf({ key, value }: OutgoingRecord): number {
  return Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '')
}
