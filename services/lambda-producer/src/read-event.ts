/**
 * What API Gateway hands over, read as a request to create an entity. REST APIs (payload 1.0) and HTTP APIs (2.0) describe a
 * request differently, but what counts here stands in both under the same names; only the case of the header names differs.
 * Bodies are read, and refusals given, as simple-producer does.
 */
import { CreateRequest, createRequestLimitBytes } from '@kafka-pattern/events'
import {
  bodyTooLarge,
  correlationIdFrom,
  invalidRequest,
  parseJsonBody,
  UnreadableBodyError,
  wrongContentType,
} from '@kafka-pattern/http-api'
import { z } from 'zod'
import type { Refusal } from '@kafka-pattern/http-api'

export type ReadEvent = { readonly correlationId: string } & (
  | { readonly kind: 'create'; readonly request: CreateRequest }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
)

const ApiGatewayEvent = z.object({
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().default(false),
  headers: z.record(z.string(), z.string().optional()).nullish(),
})
type ApiGatewayEvent = z.output<typeof ApiGatewayEvent>

/** Never throws: whatever comes is an event to read or to refuse, with the reason. */
export function readEvent(event: unknown): ReadEvent {
  const parsed = ApiGatewayEvent.safeParse(event)
  if (!parsed.success) {
    const refusal = invalidRequest('event', fieldsOf(parsed.error, 'event'))
    return { kind: 'refused', correlationId: correlationIdFrom(undefined), refusal }
  }
  const correlationId = correlationIdFrom(headerOf(parsed.data, 'x-correlation-id'))
  const read = readBody(parsed.data)
  return 'status' in read
    ? { kind: 'refused', correlationId, refusal: read }
    : { kind: 'create', correlationId, request: read }
}

function readBody(event: ApiGatewayEvent): CreateRequest | Refusal {
  const { isBase64Encoded } = event
  // Who invokes the function by hand gives none.
  const contentType = headerOf(event, 'content-type') ?? 'application/json'
  if (!/^application\/json\s*(;|$)/i.test(contentType)) return wrongContentType()
  const body = event.body ?? ''
  // Before it is decoded: that takes as much memory again.
  if (Buffer.byteLength(body, isBase64Encoded ? 'base64' : 'utf8') > createRequestLimitBytes) {
    return bodyTooLarge(createRequestLimitBytes)
  }
  // Buffer leaves out what is no base64 and decodes the rest.
  if (isBase64Encoded && !(/^[A-Za-z0-9+/]*={0,2}$/.test(body) && body.length % 4 === 0)) {
    return invalidBody('Body is not base64')
  }
  let json: unknown
  try {
    json = parseJsonBody(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'))
  } catch (error) {
    if (!(error instanceof UnreadableBodyError)) throw error
    return invalidBody(error.message)
  }
  const request = CreateRequest.safeParse(json)
  return request.success ? request.data : invalidRequest('body', fieldsOf(request.error, 'body'))
}

function invalidBody(problem: string): Refusal {
  return invalidRequest('body', [{ field: 'body', problem }])
}

function fieldsOf(error: z.ZodError, whole: string): { field: string; problem: string }[] {
  return error.issues.map(({ path, message }) => ({ field: path.join('/') || whole, problem: message }))
}

/** HTTP APIs send names in lower case, REST APIs as the caller wrote them. */
function headerOf({ headers }: ApiGatewayEvent, name: string): string | undefined {
  return Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1]
}
