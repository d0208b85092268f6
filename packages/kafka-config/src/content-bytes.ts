import type { KafkaRecord } from './group-consumer.ts'

/** What a fetched record holds in memory, about: the bytes of its key, its value and its headers. */
export function contentBytes({ key, value, headers }: KafkaRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const name in headers) bytes += lengthOf(headers[name])
  return bytes
}

/** Of all these records together. */
export function contentBytesOf(records: readonly KafkaRecord[]): number {
  let bytes = 0
  for (const record of records) bytes += contentBytes(record)
  return bytes
}

function lengthOf(header: NonNullable<KafkaRecord['headers']>[string]): number {
  return Array.isArray(header)
    ? header.reduce((sum, each) => sum + (each?.length ?? 0), 0)
    : (header?.length ?? 0)
}
