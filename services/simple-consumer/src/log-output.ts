import type { LoggerOptions } from '@kafka-pattern/service-runtime'

/**
 * Where the log goes so that its lines never stand in the middle of a printed record: through the same stream. The default
 * writes to the file descriptor directly, past what the stream still holds back for a slow reader. On a terminal, where
 * every write is complete when it returns, the default is kept: it is readable there.
 */
export function logOutput(): Pick<LoggerOptions, 'destination'> {
  return process.stdout.isTTY ? {} : { destination: process.stdout }
}
