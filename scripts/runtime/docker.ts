import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { errorCode } from '@kafka-pattern/local-stack'

const runFile = promisify(execFile)
const answerTimeoutMs = 10_000

/** A Docker Engine that answers and has Compose, or the reason why there is none. */
export type Docker = { usable: true; engine: string; compose: string } | { usable: false; reason: string }

export async function findDocker(): Promise<Docker> {
  const [engine, compose] = await Promise.all([
    outputOf(['version', '--format', '{{.Server.Version}}']),
    outputOf(['compose', 'version', '--short']),
  ])
  if (engine === 'missing') return { usable: false, reason: 'docker is not installed' }
  if (engine === null)
    return { usable: false, reason: 'no Docker Engine answers (or this user may not ask it)' }
  if (compose === null || compose === 'missing') {
    return { usable: false, reason: 'docker has no Compose plugin' }
  }
  return { usable: true, engine, compose }
}

/** 'missing' without docker, null when it fails. */
async function outputOf(parameters: string[]): Promise<string | null> {
  try {
    return (await runFile('docker', parameters, { timeout: answerTimeoutMs })).stdout.trim()
  } catch (error) {
    // A client without an engine exits with an error of its own: that there is no answer is what is asked here.
    return errorCode(error) === 'ENOENT' ? 'missing' : null
  }
}
