import type { KafkaRecord } from '@kafka-pattern/kafka-config'

type Headers = NonNullable<KafkaRecord['headers']>
type HeaderValue = Headers[string]

/**
 * The same records, in one piece of memory of their own. What a fetch hands over are views of the broker's whole answer, which holds the
 * records of all partitions and stays in memory for as long as one of its views does.
 */
export function copyRecords(records: readonly KafkaRecord[]): KafkaRecord[] {
  let length = 0
  const count = (bytes: Buffer): Buffer => {
    length += bytes.length
    return bytes
  }
  for (const record of records) mapBytes(record, count)

  const own = Buffer.allocUnsafeSlow(length)
  let end = 0
  const copy = (bytes: Buffer): Buffer => {
    const begin = end
    end += bytes.copy(own, begin)
    return own.subarray(begin, end)
  }
  return records.map(record => mapBytes(record, copy))
}

function mapBytes<T extends KafkaRecord>(record: T, map: (bytes: Buffer) => Buffer): T {
  const mapHeader = (value: HeaderValue): HeaderValue => {
    if (Array.isArray(value)) return value.map(each => (Buffer.isBuffer(each) ? map(each) : each))
    return Buffer.isBuffer(value) ? map(value) : value
  }
  return {
    ...record,
    key: record.key && map(record.key),
    value: record.value && map(record.value),
    headers:
      record.headers &&
      Object.fromEntries(
        Object.entries<HeaderValue>(record.headers).map(([name, value]) => [name, mapHeader(value)]),
      ),
  }
}
