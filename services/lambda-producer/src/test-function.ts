/** The function as it is deployed, and what API Gateway would do with it, for the tests. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFunction } from '@kafka-pattern/test-kit'
import { z } from 'zod'
import { bundleFunction } from '../build/bundle.ts'
import type { Bundle } from '../build/bundle.ts'
import type { LambdaFunction } from '@kafka-pattern/test-kit/lambda-runtime'

const Answer = z.object({
  statusCode: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})
type Answer = z.output<typeof Answer>

export const ada = { body: '{"level":42,"name":"Ada"}' }

/** The bundle in a folder of its own; `remove` it after the tests. */
export async function makeBundle(): Promise<Bundle & { remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'kafka-pattern-lambda-'))
  return { ...(await bundleFunction(dir)), remove: () => rm(dir, { recursive: true, force: true }) }
}

export function startBundle(
  { dir, handler }: Bundle,
  env: Record<string, string>,
  timeoutMs = 60_000,
): Promise<LambdaFunction> {
  return startFunction({ taskRoot: dir, handler, env, timeoutMs })
}

/** @throws Error when the function gave no answer: it threw, or its time was over */
export async function invoke(
  lambda: LambdaFunction,
  event: unknown = ada,
): Promise<Answer & { durationMs: number }> {
  const result = await lambda.invoke(event)
  if (result.kind !== 'returned') throw new Error(`the function ${JSON.stringify(result)}`)
  return { ...Answer.parse(result.value), durationMs: result.durationMs }
}

/** The lines of its log. */
export function logLines(lambda: LambdaFunction): { msg?: string; [field: string]: unknown }[] {
  return lambda.outputLines.filter(line => line.startsWith('{')).map(line => JSON.parse(line))
}
