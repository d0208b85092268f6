/** A caller of user-registry, for the tests. */
import { UserState } from '@kafka-pattern/events'
import { eventually } from '@kafka-pattern/test-kit'
import { expect } from 'vitest'
import { z } from 'zod'
import type { Row } from '@kafka-pattern/mysql-config'
import type { RunningService, TestDatabase } from '@kafka-pattern/test-kit'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** What the answer of 200 or 201 holds; throws for another. */
  readonly user: UserState
  /** What a refusal says. */
  readonly error: string
  /** What a refusal names, or null. */
  readonly fields: string[] | null
}

export const ada = { name: 'Ada Lovelace', level: 42 }

/** The service's own limits so far away that a slow machine does not reach them: for tests that are not about them. */
export const farLimits = { REQUEST_TIMEOUT_MS: '300000', SHUTDOWN_TIMEOUT_MS: '400000' }

const Refusal = z.object({
  error: z.string().min(1),
  fields: z.array(z.object({ field: z.string(), problem: z.string().min(1) })).optional(),
})

/** @throws TypeError when there is no answer; an Error when a refusal has not the form that was promised */
export async function ask(
  { url }: Pick<RunningService, 'url'>,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const { status } = response
  const text = await response.text()
  const refusal = status < 300 ? null : Refusal.parse(JSON.parse(text))
  return {
    status,
    headers: response.headers,
    text,
    get user() {
      if (refusal !== null) throw new Error(`${method} ${path}: ${status} ${text}`)
      return UserState.strict().parse(JSON.parse(text))
    },
    error: refusal?.error ?? '',
    fields: refusal?.fields?.map(({ field }) => field) ?? null,
  }
}

export type StoredEvent = { type: string; correlationId: string; state: UserState }

/** The outbox in its order. */
export async function readOutbox({ root }: TestDatabase): Promise<StoredEvent[]> {
  const rows = await root.rows<{ type: string; payload: string; correlation_id: string } & Row>(
    'SELECT type, payload, correlation_id FROM outbox ORDER BY seq',
  )
  return rows.map(({ type, payload, correlation_id }) => ({
    type,
    correlationId: correlation_id,
    state: UserState.strict().parse(JSON.parse(payload)),
  }))
}

/** Locks the user until `release`, which resolves when that is done. */
export async function holdUser(
  { root, name }: TestDatabase,
  id: string,
): Promise<{ waitForWaiting(count: number): Promise<void>; release(): Promise<void> }> {
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const holding = root.inTransaction(async transaction => {
    await transaction.rows('SELECT id FROM users WHERE id = ? FOR UPDATE', [id])
    held.resolve()
    await released.promise
  })
  await held.promise
  return {
    async waitForWaiting(count) {
      const running = `SELECT COUNT(*) AS running FROM information_schema.processlist
        WHERE db = ? AND (info LIKE 'SELECT id, name%' OR info LIKE 'UPDATE users%')`
      await eventually(
        async () => {
          const [row] = await root.rows<{ running: string }>(running, [name])
          expect(Number(row?.running)).toBeGreaterThanOrEqual(count)
        },
        { what: `${count} requests to wait for the user` },
      )
    },
    async release() {
      released.resolve()
      await holding
    },
  }
}
