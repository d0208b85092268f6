/** Text that is shown again and again at the same place of a terminal, beside what was there before, as an editor does it. */
import { setTimeout as delay } from 'node:timers/promises'

// Another screen, no cursor, and lines that are too long are cut instead of pushing the others down.
const enter = '\u001B[?1049h\u001B[?25l\u001B[?7l'
const leave = '\u001B[?7h\u001B[?25h\u001B[?1049l'

/** Of a terminal that does not know how many it has. */
const usualRows = 24

/** As much of `process.stdout` as is needed. */
export type Terminal = {
  readonly rows: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

/**
 * Draws until the signal, which does not wait for a look; then the terminal is as it was, with the last lines below.
 * @param look gives the lines; what it throws ends the drawing
 */
export async function showLive(
  terminal: Terminal,
  look: () => Promise<string[]>,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  // Before the screen changes, so that a failure at once leaves no trace but itself.
  let lines = await look()
  terminal.write(enter)
  const interrupted = new Promise<null>(resolve => {
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const redraw = () => terminal.write(frameOf(lines, terminal.rows || usualRows))
  terminal.on('resize', redraw)
  try {
    while (!signal.aborted) {
      redraw()
      await delay(everyMs, undefined, { signal }).catch(() => {
        // Interrupted: the loop ends.
      })
      if (!signal.aborted) lines = (await Promise.race([look(), interrupted])) ?? lines
    }
  } finally {
    terminal.off('resize', redraw)
    terminal.write(`${leave}${lines.join('\n')}\n`)
  }
}

/** What makes a screen of so many rows show these lines and nothing else; what does not fit is counted. */
export function frameOf(lines: readonly string[], rows: number): string {
  const fitting =
    lines.length <= rows
      ? lines
      : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines: make lag | less`]
  // Overwritten line by line: to clear the screen first would flicker.
  return `\u001B[H${fitting.map(line => `${line}\u001B[K`).join('\r\n')}\u001B[J`
}
