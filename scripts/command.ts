/** What every command of the Makefile is run by: errors become one readable answer and an exit code. */
import { errorCode, LocalStackError } from '@kafka-pattern/local-stack'
import { requireKnownVariables } from './known-variables.ts'
import { colors, failed } from './terminal.ts'
import { UserError } from './user-error.ts'

/** Runs the command and ends the process with its exit code, or with 1 when it fails. */
export async function runCommand(command: () => Promise<number | void>): Promise<void> {
  // Whoever reads the output may have seen enough: `make logs SERVICE=kafka | head`.
  process.stdout.on('error', error => {
    if (errorCode(error) === 'EPIPE') process.exit()
    throw error
  })
  try {
    await requireKnownVariables(process.env.MAKEFLAGS)
    process.exitCode = (await command()) ?? 0
  } catch (error) {
    process.exitCode = 1
    const sentences =
      error instanceof UserError || error instanceof LocalStackError
        ? error.message
        : // Only now: the clients that it knows take a while to load.
          (await import('./describe-outage.ts')).describeOutage(error)
    if (sentences !== null) {
      const [first = '', ...more] = sentences.split('\n')
      process.stderr.write(`${failed} ${first}\n`)
      for (const line of more) process.stderr.write(`  ${line}\n`)
    } else {
      process.stderr.write(`${failed} ${colors.bold('This is a defect of the command itself:')}\n`)
      console.error(error)
    }
  }
}

/** Aborted by Ctrl-C (or SIGTERM), so that a command that follows something can end in order. */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
