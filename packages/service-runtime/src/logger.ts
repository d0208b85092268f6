import { pino } from 'pino'
import { prettyFactory } from 'pino-pretty'

export type Logger = pino.Logger

/** Whatever a driver or a framework puts into a log line under these names is replaced by [redacted]. */
const secretFields = [
  'password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'sessionToken',
  'secretAccessKey',
  'KAFKA_SASL_PASSWORD',
  'MYSQL_PASSWORD',
]

export interface LoggerOptions {
  name: string
  level: pino.LevelWithSilent
  /** Where lines go; default stdout: JSON, or readable when stdout is a terminal. */
  destination?: pino.DestinationStream
}

/**
 * JSON lines on stdout, or readable lines when stdout is a terminal. A line is written before the call returns,
 * so that none is lost when the process ends and lines never mix with what is printed beside them.
 */
export function createLogger({ name, level, destination = standardOutput() }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      redact: {
        paths: secretFields.flatMap(field => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[redacted]',
      },
    },
    destination,
  )
}

function standardOutput(): pino.DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true })
  const readable = prettyFactory({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
  return { write: line => void process.stdout.write(readable(line)) }
}
