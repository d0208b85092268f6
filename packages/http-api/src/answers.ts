/** Answers that have one form in all services. */
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { bodyTooLarge, internalError, invalidRequest, wrongContentType } from './refusals.ts'
import type { FastifyError, FastifyReply } from 'fastify'
import type { Refusal } from './refusals.ts'

/** Thrown out of a route: answered as `answerUnavailable` does, and not logged, because whoever throws it knows more. */
export class UnavailableError extends Error {
  readonly retryAfterSeconds: number
  constructor(reason: string, retryAfterSeconds: number, cause?: unknown) {
    super(reason, { cause })
    this.name = 'UnavailableError'
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Not now, but later, without anybody changing anything. `reason` is for the caller: it names no host. */
export function answerUnavailable(
  reply: FastifyReply,
  reason: string,
  retryAfterSeconds: number,
): FastifyReply {
  return reply.code(503).header('retry-after', retryAfterSeconds).send({ error: reason })
}

/** A value that is JSON already, byte for byte: Fastify does not serialize a text whose type is set. */
export function answerJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(json)
}

const parts: Record<string, string> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'headers',
}

/** What a request gets that ended in an error. 4xx is the caller's and says what to change; the rest is ours and tells nothing. */
export function describeRefusal(error: FastifyError, bodyLimitBytes: number): Refusal {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const part = parts[error.validationContext ?? 'body'] ?? 'request'
    const fields = error.validation.map(({ instancePath, message }) => ({
      field: instancePath.slice(1) || part,
      problem: message ?? 'is wrong',
    }))
    return invalidRequest(part, fields)
  }
  const status = error.statusCode ?? 500
  if (error.code === 'FST_ERR_BAD_URL')
    return invalidRequest('path', [{ field: 'path', problem: error.message }])
  if (status === 400) return invalidRequest('body', [{ field: 'body', problem: error.message }])
  if (status === 413) return bodyTooLarge(bodyLimitBytes)
  if (status === 415) return wrongContentType()
  if (status > 400 && status < 500) return { status, body: { error: error.message } }
  return internalError()
}
