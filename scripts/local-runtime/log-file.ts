import { watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '@kafka-pattern/local-stack'

const chunkBytes = 64 * 1024
// A change that the system does not announce (a network file system) is found at the latest after this time.
const longestWaitMs = 500

/** The newest lines of a file, oldest first; none when there is no file. */
export async function lastLinesOf(path: string, count: number): Promise<string[]> {
  const size = await sizeOf(path)
  if (count === 0 || size === 0) return []
  let text = Buffer.alloc(0)
  let start = size
  while (start > 0 && text.toString('utf8').split('\n').length <= count + 1) {
    const from = Math.max(0, start - chunkBytes)
    text = Buffer.concat([await readRange(path, from, start), text])
    start = from
  }
  return text.toString('utf8').trimEnd().split('\n').slice(-count)
}

/** The file's size in bytes, 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0
    throw error
  }
}

/** Every whole line from byte `from` on, as it is written, until the signal. A file that became shorter is read from its start. */
export async function followFile(
  path: string,
  from: number,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let position = from
  let rest = Buffer.alloc(0)
  while (!signal.aborted) {
    const changed = changeOf(path, signal)
    const size = await sizeOf(path)
    if (size < position) {
      position = 0
      rest = Buffer.alloc(0)
    }
    if (size > position) {
      rest = Buffer.concat([rest, await readRange(path, position, size)])
      position = size
      const end = rest.lastIndexOf('\n')
      if (end !== -1) for (const line of rest.toString('utf8', 0, end).split('\n')) onLine(line)
      rest = rest.subarray(end + 1)
      changed.cancel()
    } else {
      await changed.happened
    }
  }
}

/** Watches before the caller looks, so that a change between looking and waiting is not slept through. */
function changeOf(path: string, signal: AbortSignal): { happened: Promise<void>; cancel: () => void } {
  const controller = new AbortController()
  const cancel = () => controller.abort()
  const either = AbortSignal.any([signal, controller.signal])
  const happened = delay(longestWaitMs, undefined, { signal: either }).catch(() => {
    // Aborted: something changed, or the follower is to end. Either way the wait is over.
  })
  try {
    const watcher = watch(path, { signal: either }, cancel)
    watcher.on('error', cancel)
    void happened.finally(() => watcher.close())
  } catch (error) {
    // Not written yet: looked for again after the longest wait.
    if (errorCode(error) !== 'ENOENT') throw error
  }
  return { happened, cancel }
}

async function readRange(path: string, from: number, to: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
