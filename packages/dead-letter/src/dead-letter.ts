/**
 * What a dead letter is: the record that could not be processed, as it was, and headers that say why.
 * Guarantees: key, value, headers and timestamp are kept bit by bit, also null ones, repeated headers and headers of an
 * earlier dead letter; what was known of the failure can be read back. Not kept is in which order headers of different names
 * follow each other: kafkajs gives them as an object, `a, b, a` as `a, a, b`, and names that are whole numbers first. A timestamp
 * that cannot be sent, below 0 or above 2^53 - 1, is kept in its header alone, and the dead letter has the time of sending.
 * Pure: nothing here talks to a broker.
 */
import type { OutgoingRecord } from '@kafka-pattern/kafka-config'
import { z } from 'zod'

/** One value of a header as a consumer gets it; null where the producer wrote none. */
export type HeaderValue = Buffer | string | null
export type Headers = Record<string, HeaderValue | HeaderValue[] | undefined>

/** A record as it was consumed, and where. `offset` and `timestamp` (ms since 1970) are decimal, as Kafka's clients give them. */
export interface ConsumedRecord {
  topic: string
  partition: number
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers?: Headers | undefined
}

/** All that `Failure.category` can be, as a list, so that what a person typed can be checked. */
export const failureCategories = ['not retryable', 'retries exhausted'] as const

/** Why a record was given up. */
export interface Failure {
  /** `not retryable`: trying again cannot help. `retries exhausted`: it did not help within the limits. */
  category: (typeof failureCategories)[number]
  errorClass: string
  message: string
  /** How often it was tried, the first time included. */
  attempts: number
  firstFailureAt: Date
  lastFailureAt: Date
  /** The consumer group that gave it up. */
  group: string
  host: string
}

export type ReadDeadLetter =
  | { ok: true; original: ConsumedRecord & { headers: Headers }; failure: Failure }
  | { ok: false; reason: string }

/** The headers that a dead letter has beside those of its record. */
export const DEAD_LETTER_HEADERS = {
  topic: 'dlt.topic',
  partition: 'dlt.partition',
  offset: 'dlt.offset',
  timestamp: 'dlt.timestamp',
  errorClass: 'dlt.error-class',
  errorMessage: 'dlt.error-message',
  category: 'dlt.category',
  attempts: 'dlt.attempts',
  firstFailure: 'dlt.first-failure',
  lastFailure: 'dlt.last-failure',
  group: 'dlt.group',
  host: 'dlt.host',
} as const

/** Longer messages are cut: what a failing service answers may be a whole page. */
const longestTextLength = 1_000

/** The group is part of the name: two groups fail for reasons of their own, and each replays only what it gave up. */
export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlt`
}

/** Whether a topic is named as dead-letter topics are. */
export function isDeadLetterTopic(topic: string): boolean {
  return topic.endsWith('.dlt')
}

/** The dead letter of a record. It has no partition yet. Where the record has a header of the same name, both are kept, its own first. */
export function toDeadLetter(record: ConsumedRecord, failure: Failure): OutgoingRecord {
  const description = {
    [DEAD_LETTER_HEADERS.topic]: record.topic,
    [DEAD_LETTER_HEADERS.partition]: String(record.partition),
    [DEAD_LETTER_HEADERS.offset]: record.offset,
    [DEAD_LETTER_HEADERS.timestamp]: record.timestamp,
    [DEAD_LETTER_HEADERS.errorClass]: shortened(failure.errorClass),
    [DEAD_LETTER_HEADERS.errorMessage]: shortened(failure.message),
    [DEAD_LETTER_HEADERS.category]: failure.category,
    [DEAD_LETTER_HEADERS.attempts]: String(failure.attempts),
    [DEAD_LETTER_HEADERS.firstFailure]: failure.firstFailureAt.toISOString(),
    [DEAD_LETTER_HEADERS.lastFailure]: failure.lastFailureAt.toISOString(),
    [DEAD_LETTER_HEADERS.group]: failure.group,
    [DEAD_LETTER_HEADERS.host]: failure.host,
  }
  const headers = sendable(record.headers)
  for (const [name, text] of Object.entries(description)) {
    headers[name] = headers[name] === undefined ? text : [...valuesOf(headers[name]), text]
  }
  const timestamp = Number(record.timestamp)
  return {
    topic: deadLetterTopic(record.topic, failure.group),
    key: record.key,
    value: record.value,
    headers,
    // A producer cannot send Kafka's "no timestamp", -1, nor what is too great for an exact number, such as nanoseconds; dlt.timestamp
    // still says it.
    ...(timestamp >= 0 && Number.isSafeInteger(timestamp) && { timestamp }),
  }
}

/** The inverse of `toDeadLetter`. Never throws: anybody can write to a topic. */
export function readDeadLetter(record: {
  key: Buffer | null
  value: Buffer | null
  headers?: Headers | undefined
}): ReadDeadLetter {
  const headers: Headers = { ...record.headers }
  const texts = Object.entries(DEAD_LETTER_HEADERS).map(([field, name]) => [field, takeLast(headers, name)])
  const description = Description.safeParse(Object.fromEntries(texts))
  if (!description.success) {
    return { ok: false, reason: `not a dead letter: ${reasons(description.error)}` }
  }
  const { topic, partition, offset, timestamp, ...why } = description.data
  return {
    ok: true,
    original: { topic, partition, offset, timestamp, key: record.key, value: record.value, headers },
    failure: {
      category: why.category,
      errorClass: why.errorClass,
      message: why.errorMessage,
      attempts: why.attempts,
      firstFailureAt: why.firstFailure,
      lastFailureAt: why.lastFailure,
      group: why.group,
      host: why.host,
    },
  }
}

function reasons(error: z.ZodError): string {
  return error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ')
}

const count = z.string().regex(/^\d+$/).transform(Number)
const instant = z.string().pipe(z.coerce.date())

/** What the headers of a dead letter say, from their texts. */
const Description = z.object({
  topic: z.string(),
  partition: count,
  offset: z.string().regex(/^\d+$/),
  timestamp: z.string().regex(/^-?\d+$/),
  errorClass: z.string(),
  errorMessage: z.string(),
  category: z.enum(failureCategories),
  attempts: count,
  firstFailure: instant,
  lastFailure: instant,
  group: z.string(),
  host: z.string(),
})

/** The headers in the type of a producer, which knows no header that is there and undefined. */
export function sendable(headers: Headers | undefined): Record<string, HeaderValue | HeaderValue[]> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

/** Removes the last value of a header, which is the dead letter's own, and leaves those of its record. */
function takeLast(headers: Headers, name: string): string | undefined {
  const values = valuesOf(headers[name])
  const last = values.pop()
  if (values.length === 0) delete headers[name]
  else headers[name] = asRead(values)
  return last?.toString('utf8')
}

function valuesOf(value: Headers[string]): HeaderValue[] {
  if (value === undefined) return []
  return Array.isArray(value) ? [...value] : [value]
}

/** As kafkajs gives headers: an array only where a name is repeated. */
function asRead(values: HeaderValue[]): HeaderValue | HeaderValue[] | undefined {
  return values.length > 1 ? values : values[0]
}

function shortened(text: string): string {
  return (text.length > longestTextLength ? `${text.slice(0, longestTextLength - 1)}…` : text).toWellFormed()
}
