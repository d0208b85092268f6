import type { TestStack } from './make.ts'

/** Runs `use` while a make target goes on that ends with Ctrl-C only; then presses Ctrl-C. `seen` is what it has printed so far. */
export async function whileFollowing(
  stack: TestStack,
  parameters: string[],
  use: (seen: () => string) => Promise<void>,
): Promise<void> {
  const child = stack.start(...parameters)
  let printed = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const ended = new Promise(resolve => {
    child.once('close', resolve)
  })
  try {
    await use(() => printed)
  } finally {
    process.kill(-child.pid!, 'SIGINT')
    await ended
  }
}
