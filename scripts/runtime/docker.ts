import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { errorCode } from '@kafka-pattern/local-stack'

const runFile = promisify(execFile)
const answerTimeoutMs = 10_000
/** The first that knows `required: false` in depends_on. */
const oldestCompose = '2.20'

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
  if (isOlderThan(oldestCompose, compose)) {
    return {
      usable: false,
      reason: `Docker Compose is ${compose}, and docker-compose.yml needs ${oldestCompose} or newer`,
    }
  }
  return { usable: true, engine, compose }
}

/** Pure. By major and minor number; what cannot be read is taken for new. */
export function isOlderThan(oldest: string, version: string): boolean {
  const [major = 0, minor = 0] = oldest.split('.').map(Number)
  const found = /^v?(\d+)\.(\d+)/.exec(version)
  if (found === null) return false
  return Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor)
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
