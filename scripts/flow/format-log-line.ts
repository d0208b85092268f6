import { colors, printable } from '../terminal.ts'

const levelNames: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: colors.yellow('warn'),
  50: colors.red('error'),
  60: colors.red('fatal'),
}

/** A JSON line of pino as a person reads it: time, level, message, then the fields; every other line as it is. */
export function formatLogLine(line: string): string {
  const entry = parseEntry(line)
  if (entry === null) return line
  const { time, level, msg, pid: _pid, hostname: _hostname, name: _name, err, ...fields } = entry
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${quoted(value)}`)
  const stack =
    typeof err === 'object' && err !== null && 'stack' in err
      ? `\n${text(err.stack).split('\n').map(printable).join('\n')}`
      : ''
  return [
    colors.dim(timeOf(time)),
    levelNames[Number(level)] ?? printable(text(level)),
    colors.bold(printable(text(msg))),
    colors.dim(rest.join(' ')),
  ]
    .join(' ')
    .trimEnd()
    .concat(stack)
}

/** "14:03:59.123" of this machine's zone. */
export function timeOf(time: unknown): string {
  const date = new Date(typeof time === 'number' ? time : text(time))
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function parseEntry(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    const entry: Record<string, unknown> = JSON.parse(line)
    return 'msg' in entry && 'time' in entry ? entry : null
  } catch {
    // Not JSON after all: shown as it is.
    return null
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function quoted(value: unknown): string {
  return printable(typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value))
}
