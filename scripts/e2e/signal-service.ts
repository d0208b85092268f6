/** What befalls a service: it crashes, or hangs. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { TestStack } from './make.ts'
import { startsOf } from './running.ts'

const runFile = promisify(execFile)

/** `kill` is as if it had crashed: the engine does not restart a container that it was told to kill. `freeze` leaves its connections open. */
export async function signalService(
  stack: TestStack,
  service: string,
  what: 'kill' | 'freeze' | 'thaw',
): Promise<void> {
  const [command, signal] = (
    {
      kill: ['kill', 'SIGKILL'],
      freeze: ['pause', 'SIGSTOP'],
      thaw: ['unpause', 'SIGCONT'],
    } as const
  )[what]
  if (stack.kind === 'containers') {
    await runFile('docker', [command, `${stack.projectName}-${service}-1`])
  } else {
    process.kill(Number((await startsOf(stack))[service]), signal)
  }
}

/** However the work ends, it is thawed after it: what comes next needs it. */
export async function whileFrozen(
  stack: TestStack,
  service: string,
  work: () => Promise<unknown>,
): Promise<void> {
  await signalService(stack, service, 'freeze')
  try {
    await work()
  } finally {
    await signalService(stack, service, 'thaw')
  }
}
