/** A row that makes a larger record than Kafka takes: the producer knows neither its table nor its key, and a person needs both. */
import { BatchSendError, RecordTooLargeError } from '@kafka-pattern/kafka-config'
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'

/** Waiting does not help. One sentence: which row, over which limit, and what to do. */
export class RowTooLargeError extends Error {
  constructor(table: string, key: OutgoingRecord['key'], cause: RecordTooLargeError) {
    super(
      `the row ${String(key)} of ${table} cannot be published (${cause.message}): make it smaller, or raise max.message.bytes where the limit is the topic's; until then no change of the table is published`,
      { cause },
    )
    this.name = 'RowTooLargeError'
  }
}

/** Pure: the error of a `sendBatch` of these records, with the row named if a record was too large; else as it is. */
export function namingTheRow(error: unknown, table: string, records: readonly OutgoingRecord[]): unknown {
  if (error instanceof RecordTooLargeError) {
    // They were refused together, for one of them or several: the largest is among those.
    const largest = records.toSorted((a, b) => sizeBytesOf(b) - sizeBytesOf(a))[0]
    return new RowTooLargeError(table, largest?.key ?? null, error)
  }
  if (!(error instanceof BatchSendError)) return error
  for (const [index, outcome] of error.outcomes.entries()) {
    if (outcome instanceof RecordTooLargeError) {
      return new RowTooLargeError(table, records[index]?.key ?? null, outcome)
    }
  }
  return error
}

function sizeBytesOf({ key, value }: OutgoingRecord): number {
  return Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '')
}
