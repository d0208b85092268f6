/**
 * The HTTP side of user-registry: what is asked is checked here, and every answer has its form here. An answer of 2xx says what is
 * stored; 503 says that nothing was, or that it is not known.
 */
import { ChangeUserRequest, CreateUserRequest, UserState } from '@kafka-pattern/events'
import { answerJson, InvalidRequest, Problem, UnavailableError } from '@kafka-pattern/http-api'
import { z } from 'zod'
import { DeadlineError, judgeFailure } from './judge-failure.ts'
import { change, deletion, look, type Decision, type ExpectedVersion } from './user-change.ts'
import { findUser, listUsers } from './users-table.ts'
import type { HttpReply, HttpRoutes } from '@kafka-pattern/http-api'
import type { Queryable } from '@kafka-pattern/mysql-config'
import type { Logger } from '@kafka-pattern/service-runtime'
import type { UserWriter } from './user-writer.ts'

/** A name of 200 characters, each escaped as a surrogate pair, takes 2,400 bytes. */
export const bodyLimitBytes = 16 * 1024

export interface UserRoutesOptions {
  readonly mysql: Queryable
  readonly writer: UserWriter
  /** False until the database was reached for the first time and found as it should be; meanwhile all is answered 503. */
  readonly accepts: () => boolean
  /** How long before its deadline a request is answered 503, though what it began may still be stored. */
  readonly answerMarginMs: number
  readonly logger: Logger
}

const smallestId = '00000000-0000-0000-0000-000000000000'
const anyVersion = '*'

const UserId = z.object({ id: z.uuid().toLowerCase() })
const Page = z.object({
  after: z.uuid().toLowerCase().default(smallestId),
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number from 1 to 1000')
    .transform(Number)
    .refine(limit => limit >= 1 && limit <= 1_000, 'must be a whole number from 1 to 1000')
    .default(100),
})
const Preconditions = z.looseObject({
  'if-match': z
    .string()
    .regex(/^(\*|"[1-9]\d{0,14}")$/, 'must be the ETag of the user, such as "3", or *')
    .optional(),
})
const UserPage = z.object({
  users: z.array(UserState),
  /** `after` of the next page; null on the last one. */
  next: z.uuid().nullable(),
})
const StaleVersion = Problem.extend({ version: z.int() })
const answers = { 400: InvalidRequest, 404: Problem, 410: Problem, 503: Problem }

/** What is known of every request: its correlation id, and when it must be answered on the clock of `performance.now()`. */
type Asked = { readonly id: string; readonly deadlineMs: number }

export function addUserRoutes(routes: HttpRoutes, options: UserRoutesOptions): void {
  const { mysql, writer, accepts, answerMarginMs, logger } = options

  routes.post(
    '/users',
    {
      schema: {
        description:
          'Creates a user: 201 once it is stored. Its version, here 1, is the ETag, to be sent back with a change.',
        body: CreateUserRequest,
        response: { 201: UserState, 400: InvalidRequest, 413: Problem, 415: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const decision = await store(request, () => writer.create(request.body, request.id))
      reply.header('location', `/users/${decision.state.id}`)
      return answerDecision(reply, decision, 201)
    },
  )

  routes.put(
    '/users/:id',
    {
      schema: {
        description:
          'Changes the name, the level or both, if the user still has the version that the caller has seen: in If-Match, or as ' +
          '`version` in the body. Each of the two is an event and counts the version up by one; what is already so is none.',
        params: UserId,
        headers: Preconditions,
        body: ChangeUserRequest,
        response: { 200: UserState, ...answers, 409: StaleVersion, 413: Problem, 415: Problem, 428: Problem },
      },
    },
    async (request, reply) => {
      const { params, headers, body } = request
      const fromHeader = expectedVersion(headers['if-match'])
      const expected = fromHeader ?? body.version
      if (expected === undefined)
        return reply
          .code(428)
          .send({ error: 'send the version that you have seen: as If-Match, or as version in the body' })
      if (fromHeader !== undefined && body.version !== undefined && fromHeader !== body.version) {
        const fields = [{ field: 'version', problem: 'is another one than that of If-Match' }]
        return reply.code(400).send({ error: 'the body is not as it should be', fields })
      }
      const decide = change(body, expected)
      const decision = await store(request, () => writer.change(params.id, decide, request.id))
      return answerDecision(reply, decision)
    },
  )

  routes.delete(
    '/users/:id',
    {
      schema: {
        description:
          'Deletes a user; with If-Match only the version that the caller has seen. Answers its last state.',
        params: UserId,
        headers: Preconditions,
        response: { 200: UserState, ...answers, 409: StaleVersion },
      },
    },
    async (request, reply) => {
      const decide = deletion(expectedVersion(request.headers['if-match']) ?? 'any')
      const decision = await store(request, () => writer.change(request.params.id, decide, request.id))
      return answerDecision(reply, decision)
    },
  )

  routes.get(
    '/users/:id',
    { schema: { params: UserId, response: { 200: UserState, ...answers } } },
    async (request, reply) => {
      const user = await carryOut(request, () => findUser(mysql, request.params.id))
      return answerDecision(reply, look(user))
    },
  )

  routes.get(
    '/users',
    {
      schema: {
        description:
          'Users in the order of their ids, without those that are deleted. `next` is the `after` of the next page.',
        querystring: Page,
        response: { 200: UserPage, 400: InvalidRequest, 503: Problem },
      },
    },
    async (request, reply) => {
      const { after, limit } = request.query
      const users = await carryOut(request, () => listUsers(mysql, after, limit))
      const next = users.length === limit ? (users.at(-1)?.id ?? null) : null
      return answerJson(reply, 200, JSON.stringify({ users, next }))
    },
  )

  /** @throws UnavailableError, answered 503, for what is only a matter of time, and when the time of the request is over */
  async function carryOut<T>(request: Asked, work: () => Promise<T>): Promise<T> {
    if (!accepts()) throw new UnavailableError('the database was not reached yet; nothing was stored', 5)
    const limitMs = Math.floor(request.deadlineMs - answerMarginMs - performance.now())
    // Begun with no time left it could end unknown only: stored, perhaps, and answered 503 all the same.
    if (limitMs < 1) throw new UnavailableError('the request came too slowly; nothing was stored', 1)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new DeadlineError(limitMs)), limitMs)
    try {
      return await Promise.race([work(), late.promise])
    } catch (error) {
      const unavailable = judgeFailure(error)
      if (unavailable === null) throw error
      // Its message alone: in an outage this is a line for each request, and its stack says nothing more.
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn({ correlationId: request.id, reason }, 'request not carried out')
      throw new UnavailableError(unavailable.reason, unavailable.retryAfterSeconds, error)
    } finally {
      clearTimeout(timer)
    }
  }

  async function store<D extends Decision>(request: Asked, work: () => Promise<D>): Promise<D> {
    const startedAtMs = performance.now()
    const decision = await carryOut(request, work)
    if (decision.kind === 'changed') {
      const { id, version } = decision.state
      const events = decision.events.map(({ type }) => type)
      const durationMs = Math.round((performance.now() - startedAtMs) * 10) / 10
      logger.info({ userId: id, version, events, correlationId: request.id, durationMs }, 'user stored')
    }
    return decision
  }
}

function answerDecision(reply: HttpReply, decision: Decision, status: 200 | 201 = 200): HttpReply {
  switch (decision.kind) {
    case 'changed':
    case 'unchanged':
      return answerUser(reply, status, decision.state)
    case 'unknown':
      return reply.code(404).send({ error: 'there is no such user' })
    case 'deleted':
      return reply.code(410).send({ error: 'the user is deleted' })
    case 'stale':
      return answerStale(reply, decision.version)
    default:
      return decision satisfies never
  }
}

function answerStale(reply: HttpReply, version: number): HttpReply {
  const error = `the user has version ${version} by now: read it again`
  return reply.code(409).header('etag', `"${version}"`).send({ error, version })
}

/** The same JSON as its last event, though MySQL keeps that with its keys in another order. */
function answerUser(reply: HttpReply, status: 200 | 201, user: UserState): HttpReply {
  return answerJson(reply.header('etag', `"${user.version}"`), status, JSON.stringify(user))
}

function expectedVersion(ifMatch: string | undefined): ExpectedVersion | undefined {
  if (ifMatch === undefined) return undefined
  return ifMatch === anyVersion ? 'any' : Number(ifMatch.slice(1, -1))
}
