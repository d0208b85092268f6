/**
 * What the services would refuse of their settings, asked of their own schemas (services/<name>/src/config.ts) before anything is started
 * or stopped: a service that runs is not given up for one that cannot start.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseSettings, SettingsError } from '@kafka-pattern/service-runtime'
import { z } from 'zod'
import type { ComposeService } from './compose-file/compose-file.ts'
import { repositoryDir } from './repository.ts'
import { UserError } from './user-error.ts'

/** The services that read a setting which is wrong, and what is wrong with it. */
export type RefusedSetting = { key: string; problem: string; services: string[] }

const ConfigModule = z.object({ Settings: z.instanceof(z.ZodType) })

/** @throws {UserError} naming every wrong setting and the services that would refuse it */
export async function requireAcceptedSettings(services: ComposeService[]): Promise<void> {
  const refused = await refusedSettings(services)
  if (refused.length === 0) return
  throw new UserError(
    [
      'Nothing was started or stopped, because of these settings:',
      ...refused.map(describeRefused),
      'Change them in the environment or in .env; .env.example says what each is.',
    ].join('\n'),
  )
}

/** In one line. */
export function describeRefused({ key, problem, services }: RefusedSetting): string {
  return `${key} of ${services.join(', ')}: ${problem}`
}

/** In the order of the services; what several refuse alike is one. */
export async function refusedSettings(services: ComposeService[]): Promise<RefusedSetting[]> {
  const refused = new Map<string, RefusedSetting>()
  for (const { name, program, environment } of services) {
    if (program === null) continue
    for (const { key, problem } of problemsOf(await schemaOf(program), environment)) {
      const same = refused.get(`${key} ${problem}`)
      if (same === undefined) refused.set(`${key} ${problem}`, { key, problem, services: [name] })
      else same.services.push(name)
    }
  }
  return [...refused.values()]
}

function problemsOf(schema: z.ZodType, environment: Record<string, string>): SettingsError['problems'] {
  try {
    parseSettings(schema, environment)
    return []
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
}

async function schemaOf(program: string): Promise<z.ZodType> {
  const file = join(repositoryDir, 'services', program, 'src', 'config.ts')
  const config: unknown = await import(pathToFileURL(file).href)
  return ConfigModule.parse(config).Settings
}
