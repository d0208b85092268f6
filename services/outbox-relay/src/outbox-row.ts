/** A row of the outbox, and the record that it becomes: the contract of Debezium's outbox event router. Pure. */
import { crc32 } from 'node:zlib'
import { HEADERS, outboxTopic } from '@kafka-pattern/events'
import type { KeyedRecord } from '@kafka-pattern/kafka-config'

export interface OutboxRow {
  readonly seq: number
  readonly id: string
  readonly aggregatetype: string
  readonly aggregateid: string
  readonly lane: number
  readonly record: KeyedRecord
  /** Of what its memory is worth counting. */
  readonly sizeBytes: number
}

/** What `rowOf` takes. The payload goes to Kafka as it is: nobody parses it on the way. */
export const rowColumns = 'seq, id, aggregatetype, aggregateid, type, payload, correlation_id'

/** Twice as much is still exact in a double, as the text of a cursor needs it. A table reaches it after a thousand years. */
const highestSeq = 2 ** 52

/** What a row weighs besides its texts and payload. */
const rowOverheadBytes = 600

/**
 * @param columns of `rowColumns`, in their order
 * @throws RangeError for a number that a cursor cannot hold
 */
export function rowOf(columns: readonly unknown[], lanes: number): OutboxRow {
  const [seq, id, aggregatetype, aggregateid, type, payload, correlationId] = columns
  const aggregate = { type: String(aggregatetype), id: String(aggregateid) }
  const value = String(payload)
  return {
    seq: seqOf(seq),
    id: String(id),
    aggregatetype: aggregate.type,
    aggregateid: aggregate.id,
    lane: laneOf(aggregate.id, lanes),
    record: {
      topic: topicOf(aggregate.type),
      key: aggregate.id,
      value,
      headers: {
        [HEADERS.id]: String(id),
        [HEADERS.eventType]: String(type),
        [HEADERS.correlationId]: String(correlationId),
        [HEADERS.contentType]: 'application/json',
      },
    },
    sizeBytes: rowOverheadBytes + value.length,
  }
}

/** All rows of an aggregate are in one lane, and stay there for as long as the number of lanes does. */
export function laneOf(aggregateId: string, lanes: number): number {
  return crc32(aggregateId) % lanes
}

export function seqOf(value: unknown): number {
  const seq = Number(value)
  if (!(seq >= 0 && seq <= highestSeq)) throw new RangeError(`seq ${String(value)} is too large`)
  return seq
}

/** Why no topic can be named after the aggregate type, or null. Kafka's own rule (org.apache.kafka.common.internals.Topic). */
export function unfitForTopic(aggregatetype: string): string | null {
  const topic = topicOf(aggregatetype)
  if (aggregatetype === '') return 'the aggregate type is empty'
  if (topic.length > 249) return `the topic name would have ${topic.length} characters, 249 are allowed`
  if (!/^[a-zA-Z0-9._-]+$/.test(topic)) return `${JSON.stringify(topic)} is not a legal topic name`
  return null
}

const topics = new Map<string, string>()

/** The same text for every row, so that comparing it costs nothing. */
function topicOf(aggregatetype: string): string {
  let topic = topics.get(aggregatetype)
  if (topic === undefined) {
    // Types come from outside: what is only remembered for speed must not grow for ever.
    if (topics.size > 1_000) topics.clear()
    topics.set(aggregatetype, (topic = outboxTopic(aggregatetype)))
  }
  return topic
}
