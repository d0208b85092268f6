import { retry } from '@kafka-pattern/retry'
import type { Logger } from 'pino'
import { classifyMysqlError, SchemaError } from './errors.ts'
import type { Mysql } from './mysql.ts'

/**
 * Waits, for ever unless aborted, until the server answers and takes changes. Each failed attempt is logged with the reason; the
 * pauses grow from 0.1 s to 2 s.
 * @throws SchemaError in one sentence when waiting is of no use: wrong password, unknown database, a certificate not trusted
 * @throws AbortError when the signal is aborted
 */
export async function waitForMysql(
  mysql: Mysql,
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
): Promise<void> {
  await retry(() => mysql.health(), {
    policy: {
      kind: 'exponential',
      baseMs: 100,
      factor: 2,
      capMs: 2_000,
      jitter: 'none',
      maxAttempts: Infinity,
    },
    isRetryable: error => classifyMysqlError(error) === 'unavailable',
    ...(signal && { signal }),
    onRetry: ({ attempt, delayMs, error }) =>
      logger.warn(
        { attempt, delayMs, reason: error instanceof Error ? error.message : String(error) },
        'waiting for MySQL',
      ),
  }).catch((error: unknown) => {
    if (!(error instanceof Error) || signal?.aborted) throw error
    throw new SchemaError(
      `the database cannot be used (${error.message}): check MYSQL_HOST, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE and MYSQL_TLS`,
      error,
    )
  })
}

export interface MysqlWatch {
  /** Whether the last look found a server that answers and takes changes. False until the first one did. */
  readonly healthy: boolean
  stop(): void
}

/**
 * Looks after the database once a second, for readiness: the log says when it goes away and when it is back. Work need not
 * wait for it; an error says the same, sooner.
 */
export function watchMysql(mysql: Mysql, { logger }: { logger: Logger }): MysqlWatch {
  const intervalMs = 1_000
  let healthy = false
  let wasHealthy = true
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    let reason: string | null = null
    try {
      await mysql.health()
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
    if (stopped) return
    healthy = reason === null
    if (wasHealthy && !healthy) logger.warn({ reason }, 'MySQL is away')
    if (!wasHealthy && healthy) logger.info('MySQL is back')
    wasHealthy = healthy
    timer = setTimeout(() => void look(), intervalMs)
  }

  void look()
  return {
    get healthy() {
      return healthy
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
