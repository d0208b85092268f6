import { retry } from '@kafka-pattern/retry'
import type { Logger } from 'pino'
import { classifyMysqlError, SchemaError } from './errors.ts'
import type { Mysql } from './mysql.ts'

/**
 * Waits until the server answers, for ever unless aborted, and says so in the log.
 * @throws the server's error when waiting is of no use: wrong password, unknown database
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
  })
}

/**
 * Checks that the tables of infra/mysql's file for `component` are there, in the version that the service was written for.
 * @throws SchemaError with one sentence: what was found, and what to do
 */
export async function requireSchema(mysql: Mysql, component: string, version: number): Promise<void> {
  const found = await mysql
    .rows<{ version: number }>('SELECT version FROM schema_versions WHERE component = ?', [component])
    .catch((error: unknown) => {
      if (classifyMysqlError(error) !== 'fatal') throw error
      throw new SchemaError(
        `The database has no readable table schema_versions (${error instanceof Error ? error.message : String(error)}): load infra/mysql into it.`,
        error,
      )
    })
  if (found[0]?.version === version) return
  throw new SchemaError(
    `The database has ${found[0] === undefined ? 'no schema' : `schema version ${found[0].version}`} of ${component}, but version ${version} is needed: load infra/mysql of this release into an empty database (\`make clean\` removes the one of \`make up\`).`,
  )
}
