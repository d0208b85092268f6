import { once } from 'node:events'
import { expect } from 'vitest'
import type { TestStack } from './make.ts'

/**
 * Runs `use` while a make target goes on that ends with Ctrl-C only; then presses Ctrl-C, at which it must end without a complaint.
 * `seen` is what it has printed so far.
 */
export async function whileFollowing(
  stack: TestStack,
  parameters: string[],
  use: (seen: () => string) => Promise<void>,
): Promise<void> {
  const child = stack.start(...parameters)
  let printed = ''
  let complaints = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const closed = once(child, 'close')
  try {
    await use(() => printed)
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGINT')
    await closed
  }
  // make itself ends by the signal, whatever its command did; but it tells of one that failed: "make: *** [Makefile:34: watch] Error 1".
  expect({ signal: child.signalCode, complaints }).toEqual({ signal: 'SIGINT', complaints: '' })
}
