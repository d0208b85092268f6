/** What a request gets that is refused, in one form over every kind of HTTP interface: 4xx says what to change, 5xx tells nothing. */
import { z } from 'zod'

/** What went wrong, in one sentence. */
export const Problem = z.object({ error: z.string() })
/** Names each field that is wrong. */
export const InvalidRequest = z.object({
  error: z.string(),
  fields: z.array(z.object({ field: z.string(), problem: z.string() })),
})
export type InvalidRequest = z.output<typeof InvalidRequest>

/** A status and the body that goes with it, however the answer is given. */
export interface Refusal {
  readonly status: number
  readonly body: z.output<typeof Problem> | InvalidRequest
}

/** @param part of the request: `body`, `path`, `query`, `headers` */
export function invalidRequest(part: string, fields: InvalidRequest['fields']): Refusal {
  const verb = part === 'headers' ? 'are' : 'is'
  return { status: 400, body: { error: `the ${part} ${verb} not as it should be`, fields } }
}

/** @param limitBytes what a body may have */
export function bodyTooLarge(limitBytes: number): Refusal {
  return { status: 413, body: { error: `the body is larger than ${limitBytes} bytes` } }
}

/** Only JSON is taken. */
export function wrongContentType(): Refusal {
  return { status: 415, body: { error: 'the content type must be application/json' } }
}

/** A defect of ours: what it is stands in the log. */
export function internalError(): Refusal {
  return { status: 500, body: { error: 'internal error; nothing is known to be stored' } }
}
