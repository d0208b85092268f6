import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { HEADERS } from './headers.ts'
import { isPlainUuid } from './plain-uuid.ts'

const level = z.int().min(0).max(100)
const name = z.string().min(1).max(200)

/** What `POST /create` accepts. Unknown fields are dropped. */
export const CreateRequest = z.object({ level, name })
export type CreateRequest = z.output<typeof CreateRequest>

/** Nobody reads a larger request: a name of 200 characters, each escaped as a surrogate pair, takes 2,400 bytes. */
export const createRequestLimitBytes = 16 * 1024

/**
 * The value of every record on the entity topics, and the answer of `POST /create`. The record's key is `id`.
 * Unknown fields are dropped, so that a producer may add one before its consumers know it.
 */
export const EntityCreated = z.object({ id: z.uuid(), event: z.literal('create'), level, name })
export type EntityCreated = z.output<typeof EntityCreated>

const fieldCount = Object.keys(EntityCreated.shape).length

/**
 * True only where `EntityCreated` would accept the same object and change nothing in it; a false leaves the judgement to the schema.
 * For consumers at full speed, where asking the schema for every record costs more than parsing its JSON.
 */
export function isPlainEntityCreated(json: unknown): json is EntityCreated {
  if (typeof json !== 'object' || json === null || countFields(json) !== fieldCount) return false
  if (!('id' in json && 'event' in json && 'level' in json && 'name' in json)) return false
  return (
    typeof json.id === 'string' &&
    isPlainUuid(json.id) &&
    json.event === 'create' &&
    typeof json.level === 'number' &&
    Number.isInteger(json.level) &&
    json.level >= 0 &&
    json.level <= 100 &&
    typeof json.name === 'string' &&
    json.name.length >= 1 &&
    json.name.length <= 200
  )
}

/** Its own fields. `Object.keys` would make an array for every record that is consumed. */
function countFields(json: object): number {
  let count = 0
  for (const field in json) if (Object.hasOwn(json, field)) count++
  return count
}

/** A record as every producer takes it. */
export interface EntityRecord {
  readonly topic: string
  readonly key: string
  /** `EntityCreated` as JSON: what the caller of `POST /create` reads is byte for byte what the consumers read. */
  readonly value: string
  readonly headers: Record<string, string>
}

/** The record of a new entity, with an id of its own, and one for the event. */
export function createdEntityRecord(
  request: CreateRequest,
  { topic, correlationId }: { topic: string; correlationId: string },
): EntityRecord {
  const entity: EntityCreated = {
    id: randomUUID(),
    event: 'create',
    level: request.level,
    name: request.name,
  }
  return {
    topic,
    // The same entity always goes to the same partition, so its events stay in order.
    key: entity.id,
    value: JSON.stringify(entity),
    headers: {
      [HEADERS.correlationId]: correlationId,
      [HEADERS.contentType]: 'application/json',
      [HEADERS.eventType]: entity.event,
      [HEADERS.id]: randomUUID(),
    },
  }
}
