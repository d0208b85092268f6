/**
 * Writes whole lines to a stream at the reader's speed. Nothing piles up in memory when the reader is slow: the caller waits,
 * and what it would have fetched meanwhile stays in Kafka.
 */
import type { Writable } from 'node:stream'

/**
 * Hands lines over to the stream. Resolves when the system has taken all of them, so that a commit after it never
 * covers a line that exists in this process only.
 *
 * @throws OutputClosedError when nobody reads any more (`| head` has ended)
 */
export type PrintLines = (lines: string) => Promise<void>

export class OutputClosedError extends Error {
  constructor(cause: Error) {
    super(`nobody reads the output any more: ${cause.message}`, { cause })
    this.name = 'OutputClosedError'
  }
}

export function createLineOutput(stream: Writable): PrintLines {
  // The callback of the write that failed says the same to whoever can act on it; without a listener, the event would
  // end the process in the middle of its drain.
  stream.on('error', () => {})
  return lines =>
    new Promise((resolve, reject) => {
      stream.write(lines, error => {
        if (error) reject(new OutputClosedError(error))
        else resolve()
      })
    })
}
