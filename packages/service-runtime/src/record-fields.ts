import { isUtf8 } from 'node:buffer'
import { HEADERS, headerText } from '@kafka-pattern/events'
import type { RecordHeaders } from '@kafka-pattern/events'

/** What every log line about a record carries. */
export interface RecordFields {
  topic: string
  partition: number
  offset: string
  /** Text, or `0x…` where the bytes are not UTF-8; null where the record has none. */
  key: string | null
  correlationId: string | undefined
}

/** Picks the fields that identify a record in a log line: where it is, whose it is, and which request it belongs to. */
export function recordFields(record: {
  topic: string
  partition: number
  offset: string
  key: Buffer | string | null
  headers?: RecordHeaders | undefined
}): RecordFields {
  const { topic, partition, offset, key, headers } = record
  return {
    topic,
    partition,
    offset,
    key: keyText(key),
    correlationId: headerText(headers, HEADERS.correlationId),
  }
}

function keyText(key: Buffer | string | null): string | null {
  if (key === null || typeof key === 'string') return key
  return isUtf8(key) ? key.toString('utf8') : `0x${key.toString('hex')}`
}
