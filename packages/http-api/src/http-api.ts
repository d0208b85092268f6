/**
 * What the HTTP interfaces of the services have in common: requests are checked by zod schemas, correlation ids go in and out, there
 * is an OpenAPI page, refusals have one form, and a drain lets go of every caller in bounded time.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { describeListenError } from '@kafka-pattern/service-runtime'
import fastify, { LogController } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { correlationIdFrom } from './correlation-id.ts'
import { answerUnavailable, describeRefusal, UnavailableError } from './answers.ts'
import { parseJsonBody } from './json-body.ts'
import type { Logger } from '@kafka-pattern/service-runtime'
import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { IncomingMessage, ServerResponse } from 'node:http'

declare module 'fastify' {
  interface FastifyRequest {
    /** On the clock of `performance.now()`: `requestTimeoutMs` after its headers were there. */
    deadlineMs: number
  }
}

export type HttpReply = FastifyReply

/** Where a service adds its routes. */
export type HttpRoutes = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

export interface HttpApiOptions {
  /** of the OpenAPI page at /docs */
  readonly title: string
  readonly host: string
  /** 0 = any free port */
  readonly port: number
  readonly routes: (routes: HttpRoutes) => void
  /** Aborted when the service drains: requests that came before are finished, later ones answered 503. */
  readonly stopping: AbortSignal
  readonly requestTimeoutMs: number
  /** What is larger is not read to its end. */
  readonly bodyLimitBytes: number
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

/**
 * An HTTP server with `GET /ping`, `/docs`, and what `routes` adds. In a route `request.id` is the correlation id: the caller's
 * `x-correlation-id`, or a new one; the answer has it. By `request.deadlineMs` the caller must have that answer: a body that came
 * slowly has used up a part of the time. An error that a route throws is logged and answered 500.
 */
export async function createHttpApi(options: HttpApiOptions): Promise<HttpApi> {
  const { host, port, stopping, logger } = options
  const app: HttpRoutes = fastify({
    // Only what Fastify finds wrong with itself: its two lines per request say less than ours about what came of it.
    loggerInstance: logger.child({}, { level: 'warn' }) as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: parent => parent,
    bodyLimit: options.bodyLimitBytes,
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
    // An address that cannot be read is answered before there is a route, and without any hook.
    frameworkErrors: (error, request, reply: FastifyReply) => {
      reply.header('x-correlation-id', request.id)
      if (stopping.aborted) reply.header('connection', 'close')
      const { status, body } = describeRefusal(error, options.bodyLimitBytes)
      reply.code(status).send(body)
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, parseJsonBody(body)),
  )
  app.decorateRequest('deadlineMs', 0)

  app.addHook('onRequest', (request, reply, done) => {
    request.deadlineMs = performance.now() + options.requestTimeoutMs
    reply.header('x-correlation-id', request.id)
    refuseWhenStopping(reply, done)
  })
  // Again when the body is there: work that is begun late would hold up the drain for as long as it may take.
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
  options.routes(app)

  app.setNotFoundHandler((request, reply) => {
    reply.code(404).send({ error: `there is no ${request.method} ${request.url}` })
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof UnavailableError) {
      answerUnavailable(reply, error.message, error.retryAfterSeconds)
      return
    }
    const { status, body } = describeRefusal(error, options.bodyLimitBytes)
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
