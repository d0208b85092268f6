import { pino, stdSerializers } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { redacted } from './redact.ts'

export type Logger = pino.Logger

export interface LoggerOptions {
  name: string
  level: pino.LevelWithSilent
  /** Where lines go; default stdout: JSON, or readable when stdout is a terminal. */
  destination?: pino.DestinationStream
}

/**
 * JSON lines on stdout, or readable lines when stdout is a terminal. A line is written before the call returns,
 * so that none is lost when the process ends and lines never mix with what is printed beside them. Fields named like secrets
 * are written as [redacted]; the fixed fields of child loggers are not looked at.
 */
export function createLogger({ name, level, destination = standardOutput() }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      formatters: { log: redacted },
      // An error's own fields appear when it is serialized: a client's may hold the request with its credentials.
      serializers: { err: error => redacted(stdSerializers.err(error)) },
    },
    destination,
  )
}

function standardOutput(): pino.DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true })
  const readable = prettyFactory({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
  return { write: line => void process.stdout.write(readable(line)) }
}
