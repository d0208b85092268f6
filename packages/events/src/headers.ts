/** Names of the headers that the records of this project carry. */
export const HEADERS = {
  /** Follows one request through every service that it touches. */
  correlationId: 'correlation-id',
  contentType: 'content-type',
  /** What happened, readable without parsing the value: `create`. */
  eventType: 'event-type',
  /** uuid of the event itself; a consumer that must act once remembers it. */
  id: 'id',
} as const

/** Kafka's headers as its clients hand them out: bytes or text, an array where a name occurs more than once. */
export type RecordHeaders = Readonly<
  Record<string, Buffer | string | readonly (Buffer | string | null)[] | null | undefined>
>

/** The header as text (its first value if it is repeated), or undefined if the record does not have it. */
export function headerText(headers: RecordHeaders | undefined, name: string): string | undefined {
  const value = headers?.[name]
  if (value === undefined || value === null) return undefined
  const first = typeof value === 'string' || Buffer.isBuffer(value) ? value : value[0]
  return first?.toString('utf8')
}
