/** What is there of a stack, to see that nothing is. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { errorCode } from '@kafka-pattern/local-stack'
import type { TestStack } from './make.ts'

const runFile = promisify(execFile)

export async function contentsOf(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

export async function containersOf(stack: TestStack): Promise<string> {
  return ofProject(stack, ['ps', '--all'])
}

export async function volumesOf(stack: TestStack): Promise<string> {
  return ofProject(stack, ['volume', 'ls'])
}

async function ofProject(stack: TestStack, command: string[]): Promise<string> {
  if (stack.kind === 'local') return ''
  const filter = `label=com.docker.compose.project=${stack.projectName}`
  return (await runFile('docker', [...command, '--quiet', '--filter', filter])).stdout
}
