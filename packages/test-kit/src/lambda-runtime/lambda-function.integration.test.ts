import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { startFunction } from '../running-function.ts'

const runFile = promisify(execFile)

async function startWith(source: string, timeoutMs = 60_000) {
  const taskRoot = await mkdtemp(join(tmpdir(), 'kafka-pattern-function-'))
  onTestFinished(() => rm(taskRoot, { recursive: true, force: true }))
  await writeFile(join(taskRoot, 'index.mjs'), source)
  return startFunction({ taskRoot, handler: 'index.handler', timeoutMs, env: { GREETING: 'hello' } })
}

/** T: stopped by a signal. */
const stateOf = async (pid: number) => (await runFile('ps', ['-o', 'state=', '-p', String(pid)])).stdout[0]

test('one event after the other goes to the same process, with what is left of its time; nothing else of the environment', async () => {
  const lambda = await startWith(`
    let invocations = 0
    export async function handler(event, context) {
      const { GREETING, HOME } = process.env
      return { event, invocations: ++invocations, remainingMs: context.getRemainingTimeInMillis(), GREETING, HOME }
    }`)
  const results = await Promise.all([lambda.invoke({ ünï: '\u2028' }), lambda.invoke([2])])
  expect(results).toMatchObject([
    { kind: 'returned', value: { event: { ünï: '\u2028' }, invocations: 1, GREETING: 'hello' } },
    { kind: 'returned', value: { event: [2], invocations: 2 } },
  ])
  for (const result of results) {
    const { remainingMs, HOME } = Object(result.kind === 'returned' ? result.value : null)
    expect(remainingMs).toBeGreaterThan(0)
    expect(remainingMs).toBeLessThanOrEqual(60_000)
    expect(HOME).toBeUndefined()
  }
  expect(lambda.initMs).toBeGreaterThan(0)
})

test('it is frozen whenever it waits, and thawed for the next event', async () => {
  const lambda = await startWith('export const handler = async () => process.pid')
  await lambda.initialized()
  for (let i = 0; i < 2; i++) {
    await eventually(async () => expect(await stateOf(lambda.pid)).toBe('T'), {
      what: 'the process to be frozen',
    })
    expect(await lambda.invoke({})).toMatchObject({ kind: 'returned', value: lambda.pid })
  }
})

test('what a handler throws is a failed invocation, and the next one is served', async () => {
  const lambda = await startWith(
    `export const handler = async event => { if (event.bad) throw new TypeError('bad'); return 'good' }`,
  )
  expect(await lambda.invoke({ bad: true })).toMatchObject({
    kind: 'failed',
    error: { errorType: 'TypeError', errorMessage: 'bad' },
  })
  expect(await lambda.invoke({})).toMatchObject({ kind: 'returned', value: 'good' })
})

test('a handler that takes longer than it may is killed', async () => {
  const lambda = await startWith(
    'export const handler = () => new Promise(resolve => setTimeout(resolve, 600_000))',
    200,
  )
  expect(await lambda.invoke({})).toMatchObject({ kind: 'timed out' })
  await expect(lambda.invoke({})).rejects.toThrow(/the function ended \(exit SIGKILL\)/)
})

test('a module that cannot be loaded is said, with its output', async () => {
  const lambda = await startWith(`throw new Error('a setting is wrong')`)
  await expect(lambda.initialized()).rejects.toThrow(/a setting is wrong/)
  await expect(lambda.invoke({})).rejects.toThrow(/a setting is wrong/)
})
