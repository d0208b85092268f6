/**
 * What is left of a page after a send that did not store all of it. Where a record is larger than Kafka takes waiting does not help, and
 * the others must not wait for it.
 */
import { BatchSendError, RecordTooLargeError, recordSizeBytes } from '@kafka-pattern/kafka-config'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'

export interface TooLarge {
  readonly record: OutgoingRecord
  /** How large it is, and over which limit. */
  readonly reason: string
}

/**
 * Pure. What is left of these records after the error of their `sendBatch`: those that are too large, and those that are to be sent after
 * all, in their order: of a key that has one which is not stored, all. Null: nothing was stored, and nothing is known of single ones.
 */
export function leftAfter(
  error: unknown,
  records: readonly OutgoingRecord[],
): { tooLarge: TooLarge[]; rest: OutgoingRecord[] } | null {
  if (error instanceof RecordTooLargeError) {
    // All were refused together, before anything was sent: the error tells of the first that is over the limit.
    const refused = records.find(record => recordSizeBytes(record) === error.sizeBytes)!
    return {
      tooLarge: [{ record: refused, reason: error.message }],
      rest: records.filter(record => record !== refused),
    }
  }
  if (!(error instanceof BatchSendError)) return null
  const tooLarge: TooLarge[] = []
  const unstored = new Set<OutgoingRecord['key']>()
  for (const [index, outcome] of error.outcomes.entries()) {
    const record = records[index]!
    if (outcome instanceof RecordTooLargeError) tooLarge.push({ record, reason: outcome.message })
    else if (outcome instanceof Error) unstored.add(record.key)
  }
  const refused = new Set(tooLarge.map(({ record }) => record))
  return { tooLarge, rest: records.filter(record => unstored.has(record.key) && !refused.has(record)) }
}

/**
 * Pure. Keys of which the topic tells now what the table does, whatever it told before: those of which nothing was refused, or the state of a
 * deleted row only. Its tombstone says all that is to be said of it.
 */
export function settledKeys(
  records: readonly OutgoingRecord[],
  refused: ReadonlySet<OutgoingRecord>,
): string[] {
  const refusedKeys = new Set(Array.from(refused, ({ key }) => key))
  return records.flatMap(record => {
    const { key, value } = record
    const isSettled = !refusedKeys.has(key) || (value === null && !refused.has(record))
    return isSettled && typeof key === 'string' ? [key] : []
  })
}
