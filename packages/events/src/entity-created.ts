import { z } from 'zod'

const level = z.int().min(0).max(100)
const name = z.string().min(1).max(200)

/** What `POST /create` accepts. Unknown fields are dropped. */
export const CreateRequest = z.object({ level, name })
export type CreateRequest = z.output<typeof CreateRequest>

/**
 * The value of every record on the entity topics, and the answer of `POST /create`. The record's key is `id`.
 * Unknown fields are dropped, so that a producer may add one before its consumers know it.
 */
export const EntityCreated = z.object({ id: z.uuid(), event: z.literal('create'), level, name })
export type EntityCreated = z.output<typeof EntityCreated>
