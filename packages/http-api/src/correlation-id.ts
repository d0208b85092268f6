import { randomUUID } from 'node:crypto'

/** Visible ASCII only: it is copied into response headers, record headers and log lines. */
const acceptable = /^[\x21-\x7e]{1,128}$/

/**
 * The id that follows one request through every service it touches: the caller's own, or a new one if there is none or it
 * is not 1..128 visible ASCII characters. A bad id is replaced and not refused: it must not cost the caller the request,
 * and the answer's header says which one counts.
 */
export function correlationIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && acceptable.test(header) ? header : randomUUID()
}
