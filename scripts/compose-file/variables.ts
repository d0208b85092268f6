import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { errorCode } from '@kafka-pattern/local-stack'
import type { Variables } from './interpolate.ts'

/** What docker-compose.yml is interpolated with: `.env` beside it, overridden by the environment, as Compose does it. */
export async function readVariables(repositoryDir: string, environment: Variables): Promise<Variables> {
  return { ...(await readDotEnv(repositoryDir)), ...environment }
}

/** What `.env` in a folder sets; nothing when there is none. */
export async function readDotEnv(folder: string): Promise<Variables> {
  try {
    return parseEnv(await readFile(join(folder, '.env'), 'utf8'))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {}
    throw error
  }
}
