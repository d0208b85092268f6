/** One connector as Kafka Connect's REST interface shows it: asked, changed, and waited for. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { UserError } from '../user-error.ts'
import { firstSentence, reasonOfRefusal, reasonOfTrace } from './connect-errors.ts'

const answerTimeoutMs = 60_000
const pollIntervalMs = 100

export type ConnectorControl = {
  /**
   * What Connect knows about it under this path, e.g. `/offsets`; null when there is no such connector.
   * @throws {UserError} with the reason when it does not say
   */
  get(path: string): Promise<unknown>
  /**
   * Asks for a change, again and again while the worker is busy with another one.
   * @throws {UserError} with the reason when it is refused
   */
  change(method: 'PUT' | 'DELETE', path: string, body?: unknown): Promise<void>
  /** Of the connector first, then of each task; none while the worker has not heard of it. */
  states(): Promise<PartState[]>
  /** @throws {UserError} with what the connector or a task says, when one has failed */
  requireNoFailure(): Promise<PartState[]>
  /**
   * STOPPED: its tasks have ended, all that they had read is written. RUNNING: it has a task at least, and all of them run.
   * @throws {UserError} when it fails instead, or takes longer than `timeoutMs`
   */
  waitUntil(state: 'RUNNING' | 'STOPPED', timeoutMs: number): Promise<void>
}

export type PartState = { part: string; state: string; trace?: string | undefined }

const statusSchema = z.object({
  connector: z.object({ state: z.string(), trace: z.string().optional() }),
  tasks: z.array(z.object({ id: z.number(), state: z.string(), trace: z.string().optional() })),
})

/** `connectUrl` is e.g. http://127.0.0.1:8083. Every method throws a UserError when nothing answers there. */
export function controlConnector(connectUrl: string, name: string): ConnectorControl {
  /** 409: a change is under way, after which the worker answers. */
  async function untilNotBusy(method: string, path: string, body?: unknown): Promise<Answer> {
    const deadline = performance.now() + answerTimeoutMs
    for (;;) {
      const answer = await ask(connectUrl, method, `/connectors/${name}${path}`, body)
      if (answer.status !== 409 || performance.now() > deadline) return answer
      await delay(pollIntervalMs)
    }
  }

  function accepted(answer: Answer): Answer {
    if (answer.ok) return answer
    throw new UserError(`Kafka Connect refuses connector ${name}: ${reasonOfRefusal(answer.body)}`)
  }

  const control: ConnectorControl = {
    async get(path) {
      const answer = await untilNotBusy('GET', path)
      return answer.status === 404 ? null : accepted(answer).body
    },
    async change(method, path, body) {
      accepted(await untilNotBusy(method, path, body))
    },
    async states() {
      const status = await control.get('/status')
      if (status === null) return []
      const { connector, tasks } = statusSchema.parse(status)
      return [
        { part: 'connector', ...connector },
        ...tasks.map(({ id, state, trace }) => ({ part: `task ${id}`, state, trace })),
      ]
    },
    async requireNoFailure() {
      const states = await control.states()
      const failed = states.find(({ state }) => state === 'FAILED')
      if (failed === undefined) return states
      throw new UserError(`Connector ${name} failed: ${reasonOfTrace(failed.trace ?? '')}`)
    },
    async waitUntil(wanted, timeoutMs) {
      const deadline = performance.now() + timeoutMs
      for (;;) {
        // What is being stopped may have failed before.
        const states = await (wanted === 'RUNNING' ? control.requireNoFailure() : control.states())
        const [connector, ...tasks] = states
        const hasTasks = tasks.length > 0
        if (connector?.state === wanted && hasTasks === (wanted === 'RUNNING')) {
          if (tasks.every(({ state }) => state === wanted)) return
        }
        if (performance.now() > deadline) {
          const seen = states.map(({ part, state }) => `${part} ${state}`).join(', ')
          throw new UserError(
            `Connector ${name} is not ${wanted} after ${timeoutMs / 1000} s (${seen || 'unknown to the worker'}): the log of Kafka Connect says what it waits for.`,
          )
        }
        await delay(pollIntervalMs)
      }
    },
  }
  return control
}

type Answer = { ok: boolean; status: number; body: unknown }

async function ask(connectUrl: string, method: string, path: string, body: unknown): Promise<Answer> {
  try {
    const response = await fetch(`${connectUrl}${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      // A registration is answered after the connector has tried to reach its database.
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    const text = await response.text()
    return { ok: response.ok, status: response.status, body: text === '' ? null : JSON.parse(text) }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const reason = error.cause instanceof Error ? error.cause.message : error.message
    throw new UserError(`Kafka Connect does not answer at ${connectUrl}: ${firstSentence(reason)}`, {
      cause: error,
    })
  }
}
