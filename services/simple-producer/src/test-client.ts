/** A caller of `POST /create`, for the tests. */
import { z } from 'zod'
import type { RunningService } from '@kafka-pattern/test-kit'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of a 503, in seconds; NaN without one. */
  readonly retryAfter: number
  /** What a refusal names, or null. */
  readonly fields: string[] | null
}

export const ada = { level: 42, name: 'Ada Lovelace' }

/** REQUEST_TIMEOUT_MS where brokers die: above what a healthy answer takes on a busy machine, below what a person waits for a test. */
export const requestTimeoutMs = 10_000
/** For the way of the answer itself, on a machine that runs a whole test suite. Without the limit there is no answer at all. */
export const slackMs = 10_000

const Refusal = z.object({
  error: z.string().min(1),
  fields: z.array(z.object({ field: z.string(), problem: z.string().min(1) })).optional(),
})

/** @throws TypeError when there is no answer; an Error when a refusal has not the form that was promised */
export async function create(
  service: RunningService,
  body: unknown = ada,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${service.url}/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  })
  const text = await response.text()
  const refusal = response.status === 201 ? null : Refusal.parse(JSON.parse(text))
  return {
    status: response.status,
    headers: response.headers,
    text,
    retryAfter: Number(response.headers.get('retry-after') ?? Number.NaN),
    fields: refusal?.fields?.map(({ field }) => field) ?? null,
  }
}

export async function timed<T extends object>(work: () => Promise<T>): Promise<T & { tookMs: number }> {
  const startedAtMs = performance.now()
  const result = await work()
  return { ...result, tookMs: performance.now() - startedAtMs }
}
