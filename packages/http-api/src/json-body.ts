/** A body that should be JSON, read in one way over every kind of HTTP interface. */
import { isUtf8 } from 'node:buffer'
import { parse } from 'secure-json-parse'

/** The caller's fault; the message says what to change. */
export class UnreadableBodyError extends Error {
  /** Where Fastify looks for it. */
  readonly statusCode = 400
  constructor(problem: string) {
    super(problem)
    this.name = 'UnreadableBodyError'
  }
}

/**
 * What Fastify's own parser yields, and refuses in the same words: a byte order mark is skipped, a `__proto__`, or a `constructor` with
 * a `prototype`, is an error. But where that one decodes bytes that are no UTF-8 to U+FFFD, so that something else than was
 * sent would be stored, here they are an error as well.
 * @throws UnreadableBodyError
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) {
    throw new UnreadableBodyError("Body cannot be empty when content-type is set to 'application/json'")
  }
  if (!isUtf8(bytes)) throw new UnreadableBodyError('Body is not UTF-8')
  try {
    return parse(bytes.toString())
  } catch {
    throw new UnreadableBodyError("Body is not valid JSON but content-type is set to 'application/json'")
  }
}
