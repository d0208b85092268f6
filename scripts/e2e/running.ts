/** What of a stack runs. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { eventually } from '@kafka-pattern/test-kit'
import { expect } from 'vitest'
import type { TestStack } from './make.ts'

const runFile = promisify(execFile)

/** The names of those that are ready, once these are among them: on a busy machine a service may be not ready for a moment. */
export async function runningServices(stack: TestStack, awaited: string[]): Promise<string[]> {
  return eventually(
    async () => {
      const { stdout } = await stack.make('ps')
      const ready = [...stdout.matchAll(/✓ (\S+) +ready/g)].map(match => match[1]!)
      expect(ready).toEqual(expect.arrayContaining(awaited))
      return ready
    },
    { what: `${awaited.join(', ')} to be ready` },
  )
}

/** What `make doctor` says once nothing is wrong: on a busy machine a service may be not ready for a moment. */
export async function contentDoctor(stack: TestStack): Promise<string> {
  return eventually(
    async () => {
      const { code, stdout, output } = await stack.make('doctor')
      expect(code, output).toBe(0)
      return stdout
    },
    { what: 'make doctor to find nothing wrong' },
  )
}

/** By name, something that is another one once the service was started anew. */
export async function startsOf(stack: TestStack): Promise<Record<string, string>> {
  if (stack.kind === 'local') {
    const { stdout } = await stack.make('ps')
    return Object.fromEntries(
      [...stdout.matchAll(/ (\S+) +(?:not )?ready +\S+ +pid (\d+)\b/gm)].map(match => [match[1]!, match[2]!]),
    )
  }
  const filter = `label=com.docker.compose.project=${stack.projectName}`
  const { stdout: ids } = await runFile('docker', ['ps', '--quiet', '--filter', filter])
  const format = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
  const { stdout } = await runFile('docker', ['inspect', '--format', format, ...ids.trim().split('\n')])
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map(line => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  )
}
