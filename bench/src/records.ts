import { randomUUID } from 'node:crypto'

/** A keyed record as all contestants send it: uuid key, about 200 bytes of JSON. */
export interface BenchRecord {
  key: string
  value: string
}

const padding = 'The quick brown fox jumps over the lazy dog. '.repeat(2)

/** Makes `count` records that match the schema which the services validate. */
export function makeRecords(count: number): BenchRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const id = randomUUID()
    return { key: id, value: JSON.stringify({ id, event: 'create', level: i % 101, name: `${padding}${i}` }) }
  })
}
