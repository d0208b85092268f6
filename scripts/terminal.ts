/** How the commands print: colours only on a terminal (NO_COLOR and FORCE_COLOR are respected), one width for service names. */
import { isatty } from 'node:tty'
import picocolors from 'picocolors'
import { serviceOfInstance } from './compose-file/instances.ts'

const { env, stdout } = process

// A pipe gets none, also under CI=true, where picocolors itself would colour.
const isForced = Boolean(env.FORCE_COLOR) && env.FORCE_COLOR !== '0'
const isColored = !env.NO_COLOR && (isForced || (isatty(1) && env.TERM !== 'dumb'))

export const colors = picocolors.createColors(isColored)

export const done = colors.green('✓')
export const failed = colors.red('✗')
export const step = colors.cyan('›')

/** Wide enough for the longest service name and two spaces, or the number of an instance. */
export const nameWidth = 17

export function print(line = ''): void {
  stdout.write(`${line}\n`)
}

/** What somebody wrote into a record, or an error says of it, must not take over the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

/** Shows on a terminal what is being done right now, in one line that the next one replaces; '' takes it away. */
export function showProgress(text: string): void {
  if (stdout.isTTY)
    stdout.write(`\r\u001B[K${text === '' ? '' : `    ${colors.dim(text.slice(0, stdout.columns - 5))}`}`)
}

/** "0.4 s", "12.3 s" */
export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}

/** Pads by what is seen. */
export function padVisible(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleLength(text)))
}

/** Escape sequences of colours take no room. */
export function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- an escape sequence begins with a control character
  return text.replaceAll(/\u001B\[\d+m/g, '').length
}

const palette = [colors.cyan, colors.magenta, colors.yellow, colors.green, colors.blue, colors.red]

/** The colour of a service and of its instances: the same in every command, by its place in docker-compose.yml. */
export function colorOf(service: string, services: string[]): (text: string) => string {
  const described = services.filter(name => serviceOfInstance(name, services) === null)
  const place = described.indexOf(serviceOfInstance(service, services) ?? service)
  return palette[Math.max(0, place) % palette.length] ?? colors.cyan
}
