/**
 * The life of a service: start, ready, drain, stop.
 * Guarantees: on SIGTERM or SIGINT everything that was opened is closed, last opened first, within SHUTDOWN_TIMEOUT_MS, and
 * the exit code says whether that worked (0, or 1 with the names of what did not finish); a second signal exits at once; no
 * error is left without a log line and an exit code. It does not restart anything: that is the orchestrator's task.
 */
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Logger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { ServiceMetrics } from './metrics.ts'
import { startProbes } from './probes.ts'
import type { Probes } from './probes.ts'
import type { RuntimeSettings } from './settings.ts'

export interface Service {
  readonly logger: Logger
  readonly metrics: ServiceMetrics
  /** Aborted when the drain begins: whatever waits in `start` or in a loop should end then. */
  readonly stopping: AbortSignal
  /** /readyz is 503 and names `name` until `check` is true. Cheap: asked several times a second. */
  readyWhen(name: string, check: () => boolean): void
  /** Closes something when the service drains, before everything that was registered earlier. */
  onStop(name: string, close: () => Promise<void> | void): void
  /** An error that nobody can handle: logged, then the drain, then exit code 1. */
  fail(error: Error): void
  /**
   * Answers probes, listens to signals, runs `start`. Resolves when started. If `start` fails, or a signal comes first, it
   * never settles: the service drains and the process exits: with the error's own `exitCode` and its message as one sentence if it has one,
   * as a PortUnavailableError does, else with 1.
   */
  run(start: () => Promise<void>): Promise<void>
}

/** How often readiness is looked at for the log; /readyz itself asks at the time of the request. */
const readinessIntervalMs = 200

export function createService({
  name,
  settings,
  logger,
}: {
  name: string
  settings: Pick<RuntimeSettings, 'PROBE_HOST' | 'PROBE_PORT' | 'SHUTDOWN_TIMEOUT_MS'>
  logger: Logger
}): Service {
  const metrics = createMetrics()
  const stopping = new AbortController()
  const checks: { name: string; check: () => boolean }[] = []
  const closers: { name: string; close: () => Promise<void> | void }[] = []
  let starting: Promise<void> = Promise.resolve()
  let started = false
  let probes: Probes | null = null
  let exitCode: number = exitCodes.ok

  const service: Service = {
    logger,
    metrics,
    stopping: stopping.signal,
    readyWhen: (checkName, check) => void checks.push({ name: checkName, check }),
    onStop: (closerName, close) => void closers.push({ name: closerName, close }),
    fail,
    async run(start) {
      process.on('SIGTERM', onSignal)
      process.on('SIGINT', onSignal)
      process.on('uncaughtException', fail)
      process.on('unhandledRejection', reason =>
        fail(reason instanceof Error ? reason : new Error(String(reason))),
      )
      starting = begin(start)
      await starting
      if (!started) await new Promise(() => {})
    },
  }
  return service

  async function begin(start: () => Promise<void>): Promise<void> {
    try {
      probes = await startProbes({
        host: settings.PROBE_HOST,
        port: settings.PROBE_PORT,
        waitingFor,
        registry: metrics.registry,
      })
      logger.info({ port: probes.port }, 'probes listening')
      watchReadiness()
      await start()
      started = true
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      const code = exitCodeOf(error)
      if (stopping.signal.aborted) logger.debug({ err: error }, 'start was ended by the drain')
      else if (code === null) fail(error)
      else failWith(code, error.message)
    }
  }

  function waitingFor(): string[] {
    if (stopping.signal.aborted) return ['draining']
    const waiting = checks.filter(({ check }) => !check()).map(each => each.name)
    return started ? waiting : ['start', ...waiting]
  }

  function watchReadiness(): void {
    let wasReady = false
    const timer = setInterval(() => {
      const waiting = waitingFor()
      const ready = waiting.length === 0
      if (ready && !wasReady) logger.info('ready')
      if (!ready && wasReady) logger.warn({ waitingFor: waiting }, 'not ready')
      wasReady = ready
    }, readinessIntervalMs)
    stopping.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }

  function onSignal(signal: NodeJS.Signals, number: number): void {
    if (stopping.signal.aborted) {
      logger.warn({ signal }, 'second signal: exits without finishing')
      exit(128 + number)
    }
    drain(signal)
  }

  function fail(error: Error): void {
    logger.error({ err: error }, 'unexpected error')
    exitCode ||= exitCodes.failed
    drain('unexpected error')
  }

  function failWith(code: number, sentence: string): void {
    process.stderr.write(`${name}: ${sentence}\n`)
    exitCode ||= code
    drain(sentence)
  }

  function drain(reason: string): void {
    if (stopping.signal.aborted) return
    stopping.abort(new Error(`${name} is stopping: ${reason}`))
    logger.info({ reason, limitMs: settings.SHUTDOWN_TIMEOUT_MS }, 'draining')
    const unfinished = new Set<string>()
    setTimeout(() => {
      logger.error(
        { unfinished: [...unfinished, ...closers.map(each => each.name)] },
        'the drain did not finish in time',
      )
      exit(exitCodes.failed)
    }, settings.SHUTDOWN_TIMEOUT_MS)
    void closeAll(unfinished)
  }

  /** Closers first: they may be what ends a `start` that still waits. What that registers meanwhile is closed after it. */
  async function closeAll(unfinished: Set<string>): Promise<never> {
    await closeRegistered(unfinished)
    unfinished.add('start')
    await starting
    unfinished.delete('start')
    await closeRegistered(unfinished)
    await probes?.close()
    logger.info({ exitCode }, 'stopped')
    return exit(exitCode)
  }

  async function closeRegistered(unfinished: Set<string>): Promise<void> {
    for (let last = closers.pop(); last !== undefined; last = closers.pop()) {
      unfinished.add(last.name)
      try {
        await last.close()
      } catch (error) {
        logger.error({ err: error, closing: last.name }, 'could not be closed')
        exitCode ||= exitCodes.failed
      }
      unfinished.delete(last.name)
    }
  }

  function exit(code: number): never {
    logger.flush()
    process.exit(code)
  }
}
