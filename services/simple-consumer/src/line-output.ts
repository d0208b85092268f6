/**
 * Writes lines to a stream at the reader's speed. Nothing piles up in memory when the reader is slow: the caller waits, and
 * what it would have fetched meanwhile stays in Kafka.
 */
import type { Writable } from 'node:stream'

/**
 * Writes the lines in their order, whole, many at a time. Resolves when the system has taken all of them, so that a commit
 * after it never covers a line that exists in this process only. Calls are served in turn.
 *
 * @throws OutputClosedError when nobody reads any more (`| head` has ended)
 */
export type PrintLines = (lines: Iterable<string>) => Promise<void>

export class OutputClosedError extends Error {
  constructor(cause: Error) {
    super(`nobody reads the output any more: ${cause.message}`, { cause })
    this.name = 'OutputClosedError'
  }
}

const pageBytes = 64 * 1024
/** UTF-8 needs at most so many bytes for a UTF-16 code unit. */
const bytesPerUnit = 3

export function createLineOutput(stream: Writable): PrintLines {
  // A write for each line would cost more than all the rest; one text of all lines would be megabytes of short-lived memory.
  const page = Buffer.allocUnsafe(pageBytes)
  let closed: OutputClosedError | undefined
  // Also when it was a log line that found nobody: the next record to print says so.
  stream.on('error', error => (closed ??= new OutputClosedError(error)))

  function write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      // A stream that has failed may never call back again.
      if (closed !== undefined) reject(closed)
      else stream.write(bytes, error => (error ? reject(new OutputClosedError(error)) : resolve()))
    })
  }

  async function printAll(lines: Iterable<string>): Promise<void> {
    let filledBytes = 0
    for (const line of lines) {
      if (filledBytes > 0 && filledBytes + line.length * bytesPerUnit > pageBytes) {
        await write(page.subarray(0, filledBytes))
        filledBytes = 0
      }
      if (line.length * bytesPerUnit > pageBytes) await write(Buffer.from(line))
      else filledBytes += page.write(line, filledBytes)
    }
    if (filledBytes > 0) await write(page.subarray(0, filledBytes))
  }

  // A rebalance can deliver records while the reader has not taken the ones before: those come first.
  let previous: Promise<unknown> = Promise.resolve()
  return lines => {
    const printed = previous.then(() => printAll(lines))
    previous = Promise.allSettled([printed])
    return printed
  }
}
