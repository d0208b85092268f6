import { retry, untilItWorks } from '@kafka-pattern/retry'
import type { Logger } from 'pino'
import { classifyMysqlError, isRetryableMysqlError, SchemaError } from './errors.ts'
import type { Mysql } from './mysql.ts'

/**
 * Waits, for ever unless aborted, until the server answers and takes changes, and then returns what `check` does with it: what a service
 * requires of the database, such as requireSchema. When the database goes away in the middle, it waits again and checks from the
 * beginning. Each failed attempt is logged with the reason.
 * @throws SchemaError in one sentence when waiting is of no use: wrong password, unknown database, a certificate not trusted
 * @throws AbortError when the signal is aborted
 * @throws what the check throws, unless the same may work later
 */
export function waitForMysql<T>(
  mysql: Mysql,
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
  check: () => Promise<T>,
): Promise<T> {
  return retry(
    async () => {
      await requireServer(mysql)
      return check()
    },
    {
      policy: untilItWorks,
      isRetryable: isRetryableMysqlError,
      ...(signal && { signal }),
      onRetry: ({ attempt, delayMs, error }) =>
        logger.warn({ attempt, delayMs, reason: messageOf(error) }, 'waiting for MySQL'),
    },
  )
}

async function requireServer(mysql: Mysql): Promise<void> {
  try {
    await mysql.health()
  } catch (error) {
    if (classifyMysqlError(error) === 'unavailable') throw error
    throw new SchemaError(
      `the database cannot be used (${messageOf(error)}): check MYSQL_HOST, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE and MYSQL_TLS`,
      error,
    )
  }
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
      reason = messageOf(error)
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
