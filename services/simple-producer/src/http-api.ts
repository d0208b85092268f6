/**
 * The HTTP side of simple-producer: what is asked is checked here, and every answer other than 201 has its form here. A request
 * that is wrong ends here; nothing of it reaches Kafka.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { CreateRequest, EntityCreated } from '@kafka-pattern/events'
import { describeListenError } from '@kafka-pattern/service-runtime'
import fastify, { LogController } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { z } from 'zod'
import { correlationIdFrom } from './correlation-id.ts'
import type { CreateEntity } from './create-entity.ts'
import type { Logger } from '@kafka-pattern/service-runtime'
import type { FastifyError, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

export interface HttpApiOptions {
  readonly title: string
  readonly host: string
  /** 0 = any free port */
  readonly port: number
  readonly createEntity: CreateEntity
  /** False until records can be sent for the first time; meanwhile `POST /create` is answered 503 at once. */
  readonly accepts: () => boolean
  /** Aborted when the service drains: requests that came before are finished, later ones answered 503. */
  readonly stopping: AbortSignal
  readonly requestTimeoutMs: number
  readonly logger: Logger
}

export interface HttpApi {
  /** @returns the port. @throws PortUnavailableError */
  listen(): Promise<number>
  /**
   * Takes no new connection; resolves when every request in flight has its answer, or after `requestTimeoutMs`: then the
   * connections of callers that have not sent all of their request are cut.
   */
  close(): Promise<void>
}

/** A name of 200 characters, each escaped as a surrogate pair, takes 2,400 bytes. What is larger is not read to its end. */
const bodyLimitBytes = 16 * 1024

const Problem = z.object({ error: z.string() })
const InvalidRequest = z.object({
  error: z.string(),
  fields: z.array(z.object({ field: z.string(), problem: z.string() })),
})

export async function createHttpApi(options: HttpApiOptions): Promise<HttpApi> {
  const { host, port, createEntity, accepts, stopping, logger } = options
  const app = fastify({
    // Only what Fastify finds wrong with itself: its two lines per request say less than ours about the record.
    loggerInstance: logger.child({}, { level: 'warn' }),
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: parent => parent,
    bodyLimit: bodyLimitBytes,
    requestTimeout: options.requestTimeoutMs,
    http: {
      // By default Node looks for requests that take too long only every 30 s, and lets the longer of both limits rule.
      connectionsCheckingInterval: 1_000,
      headersTimeout: options.requestTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
    },
    // Fastify's own answer while it closes has no Retry-After.
    return503OnClosing: false,
    genReqId: request => correlationIdFrom(request.headers['x-correlation-id']),
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeContentTypeParser('text/plain')

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-correlation-id', request.id)
    refuseWhenStopping(reply, done)
  })
  // Again when the body is there: a record that is taken over late would hold up the drain for its own delivery timeout.
  app.addHook('preValidation', (_request, reply, done) => refuseWhenStopping(reply, done))
  function refuseWhenStopping(reply: FastifyReply, done: () => void): void {
    if (stopping.aborted) answerUnavailable(reply, 'the service is stopping; nothing was stored', 1)
    else done()
  }
  // A caller that keeps its connection would otherwise send the next request to a server that is gone.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (stopping.aborted) reply.header('connection', 'close')
    done()
  })

  await app.register(swagger, {
    openapi: { info: { title: options.title, version: '1.0.0' } },
    transform: jsonSchemaTransform,
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })

  app.get(
    '/ping',
    { schema: { response: { 200: { content: { 'text/plain': { schema: z.literal('pong') } } } } } },
    (_request, reply) => {
      reply.type('text/plain; charset=utf-8').send('pong')
    },
  )

  app.post(
    '/create',
    {
      schema: {
        description:
          'Creates an entity: 201 once the record with it is stored on all in-sync replicas. The header x-correlation-id ' +
          '(1 to 128 visible ASCII characters) is taken over, or made; the answer has it, and x-kafka-partition and ' +
          'x-kafka-offset say where the record is.',
        body: CreateRequest,
        response: { 201: EntityCreated, 400: InvalidRequest, 413: Problem, 415: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      if (!accepts())
        return answerUnavailable(reply, 'there is no connection to Kafka yet; nothing was stored', 5)
      const outcome = await createEntity(request.body, request.id)
      if (outcome.kind === 'unavailable') {
        return answerUnavailable(reply, outcome.reason, outcome.retryAfterSeconds)
      }
      reply.code(201)
      reply.header('x-kafka-partition', outcome.partition)
      reply.header('x-kafka-offset', outcome.offset)
      reply.header('content-type', 'application/json; charset=utf-8')
      // Fastify does not serialize a text whose type is set; the route's own type would want the object it was made from.
      const untyped: FastifyReply = reply
      return untyped.send(outcome.json)
    },
  )

  app.setNotFoundHandler((request, reply) => {
    reply.code(404).send({ error: `there is no ${request.method} ${request.url}` })
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, body } = describeRefusal(error)
    if (status >= 500)
      logger.error({ err: error, correlationId: request.id, url: request.url }, 'request failed')
    reply.code(status).send(body)
  })

  return {
    async listen() {
      try {
        await app.listen({ host, port })
      } catch (error) {
        throw describeListenError(error, { setting: 'PORT', host, port })
      }
      const address = app.server.address()
      if (address === null || typeof address === 'string') throw new Error('the HTTP server has no port')
      return address.port
    },
    async close() {
      // Node no longer enforces requestTimeout once its server closes: one slow caller could hold up the drain for ever.
      const limit = setTimeout(() => {
        logger.warn({ afterMs: options.requestTimeoutMs }, 'cutting connections with unfinished requests')
        app.server.closeAllConnections()
      }, options.requestTimeoutMs)
      try {
        await app.close()
      } finally {
        clearTimeout(limit)
      }
    },
  }
}

function answerUnavailable(reply: FastifyReply, reason: string, retryAfterSeconds: number): FastifyReply {
  return reply.code(503).header('retry-after', retryAfterSeconds).send({ error: reason })
}

type Refusal = { status: number; body: z.output<typeof Problem> | z.output<typeof InvalidRequest> }

/** What a request gets that ended in an error. 4xx is the caller's and says what to change; the rest is ours and tells nothing. */
export function describeRefusal(error: FastifyError): Refusal {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const fields = error.validation.map(({ instancePath, message }) => ({
      field: instancePath.slice(1) || 'body',
      problem: message ?? 'is wrong',
    }))
    return { status: 400, body: { error: 'the body is not as it should be', fields } }
  }
  const status = error.statusCode ?? 500
  if (status === 400) {
    const fields = [{ field: 'body', problem: error.message }]
    return { status, body: { error: 'the body is not as it should be', fields } }
  }
  if (status === 413) return { status, body: { error: `the body is larger than ${bodyLimitBytes} bytes` } }
  if (status === 415) return { status, body: { error: 'the content type must be application/json' } }
  if (status > 400 && status < 500) return { status, body: { error: error.message } }
  return { status: 500, body: { error: 'internal error; nothing is known to be stored' } }
}
