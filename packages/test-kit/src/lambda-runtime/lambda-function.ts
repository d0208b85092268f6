/**
 * A Lambda function in a process of its own, run as Lambda runs it: by AWS' runtime client (aws-lambda-ric), which asks the Runtime API
 * for one event after the other, frozen (SIGSTOP) whenever there is none, and killed when an event takes longer than it may.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startRuntimeApi, type InvocationResult } from './runtime-api.ts'

export type LambdaFunctionOptions = {
  /** the folder of the function's code */
  taskRoot: string
  /** file and export, such as `index.handler` */
  handler: string
  /** of an invocation; 15,000 by default */
  timeoutMs?: number
  /** The function's settings. Nothing else is passed on but PATH and TMPDIR. */
  env: Record<string, string>
}

export type LambdaFunction = {
  readonly pid: number
  /** from the start of the process to its asking for an event; what Lambda calls the init duration. Null before. */
  readonly initMs: number | null
  /** every line of its output */
  readonly outputLines: readonly string[]
  /** The first one comes while the process starts, as it does on Lambda; events that are given at the same time wait for their turn. */
  invoke(event: unknown): Promise<InvocationResult>
  /** Resolves when it is initialized without an event, as with provisioned concurrency. */
  initialized(): Promise<void>
  /** SIGKILL, and the end of its Runtime API. */
  stop(): Promise<void>
}

const ric = createRequire(import.meta.url).resolve('aws-lambda-ric')

/** Starts the process; does not wait for it. */
export async function startLambdaFunction(options: LambdaFunctionOptions): Promise<LambdaFunction> {
  const { taskRoot, handler, timeoutMs = 15_000, env } = options
  const api = await startRuntimeApi()
  const startedAtMs = performance.now()
  let initMs: number | null = null
  void api.firstAsked.then(() => (initMs = performance.now() - startedAtMs))
  const { PATH = '', TMPDIR = '/tmp' } = process.env
  const child = spawn(process.execPath, ['--import', join(import.meta.dirname, 'use-rapid-client.ts'), ric], {
    cwd: taskRoot,
    env: {
      PATH,
      TMPDIR,
      AWS_LAMBDA_RUNTIME_API: api.address,
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: handler,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: 'under-test',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/under-test',
      AWS_LAMBDA_LOG_STREAM_NAME: 'under-test',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const outputLines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', line => void outputLines.push(line))
  }
  const closed = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, signal) => resolve(`exit ${code ?? signal}`))
  })
  const ended = closed.then(how => {
    throw new Error(`the function ended (${how}); its output:\n${outputLines.join('\n')}`)
  })
  // Whoever waits for the function hears of it; nobody has to.
  ended.catch(() => {})

  /** Lambda freezes what has nothing to do. */
  async function freezeWhenIdle(): Promise<void> {
    await Promise.race([api.idle(), ended])
    child.kill('SIGSTOP')
  }

  async function invoke(event: unknown): Promise<InvocationResult> {
    child.kill('SIGCONT')
    const result = await Promise.race([api.invoke(event, timeoutMs), ended])
    if (result.kind === 'timed out') child.kill('SIGKILL')
    else await freezeWhenIdle()
    return result
  }

  let turn: Promise<unknown> = Promise.resolve()
  return {
    pid: child.pid ?? 0,
    get initMs() {
      return initMs
    },
    outputLines,
    invoke(event) {
      const result = turn.then(() => invoke(event))
      turn = result.catch(() => {})
      return result
    },
    initialized: freezeWhenIdle,
    async stop() {
      child.kill('SIGKILL')
      await closed
      await api.close()
    },
  }
}
