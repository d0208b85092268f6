/**
 * The HTTP side of simple-producer: what is asked is checked here, and every answer other than 201 has its form here. A request
 * that is wrong ends here; nothing of it reaches Kafka.
 */
import { CreateRequest, EntityCreated } from '@kafka-pattern/events'
import { answerJson, answerUnavailable, InvalidRequest, Problem } from '@kafka-pattern/http-api'
import { notConnected } from '@kafka-pattern/kafka-config'
import type { CreateEntity } from './create-entity.ts'
import type { HttpRoutes } from '@kafka-pattern/http-api'

export interface CreateRouteOptions {
  readonly createEntity: CreateEntity
  /** False until records can be sent for the first time; meanwhile `POST /create` is answered 503 at once. */
  readonly accepts: () => boolean
}

export function addCreateRoute(routes: HttpRoutes, { createEntity, accepts }: CreateRouteOptions): void {
  routes.post(
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
      if (!accepts()) return answerUnavailable(reply, notConnected.reason, notConnected.retryAfterSeconds)
      const outcome = await createEntity(request.body, request.id, request.deadlineMs)
      if (outcome.kind === 'unavailable') {
        return answerUnavailable(reply, outcome.reason, outcome.retryAfterSeconds)
      }
      reply.header('x-kafka-partition', outcome.partition)
      reply.header('x-kafka-offset', outcome.offset)
      return answerJson(reply, 201, outcome.json)
    },
  )
}
