/**
 * The names that have an effect, in `.env` or behind `make`: a misspelt one would have none, and no message. In the shell before `make`
 * any name may be somebody else's, and is not looked at.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readDotEnv } from './compose-file/variables.ts'
import { repositoryDir } from './repository.ts'
import { UserError } from './user-error.ts'

/** What single commands read; the rest is settings. */
const commandVariables = [
  'CATEGORY',
  'FIGURE',
  'JSON',
  'N',
  'QUERY',
  'REPLAY',
  'SERVICE',
  'STEPS',
  'TEST_LOG_LEVEL',
  'TEST_STACK',
]

/** What the tools read that commands run. */
const toolVariables =
  'CI DOCKER_CERT_PATH DOCKER_CONFIG DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY FORCE_COLOR HOME JAVA_HOME LANG MAVEN_ARGS MAVEN_OPTS NODE_COMPILE_CACHE NODE_OPTIONS NO_COLOR PATH TERM TMPDIR TZ XDG_CACHE_HOME'.split(
    ' ',
  )

const proxyVariables = /^(?:(?:ALL|HTTP|HTTPS|NO)_PROXY|(?:all|http|https|no)_proxy)$/
/** Those of tools that have a hundred: there a misspelt one is not noticed. */
const toolPrefixes = /^(?:BUILDKIT|COMPOSE|npm_config)_/

/** The settings of `.env.example`, where they are commented out, because the defaults are docker-compose.yml's. */
export async function settingNames(): Promise<Set<string>> {
  const example = await readFile(join(repositoryDir, '.env.example'), 'utf8')
  return new Set([...example.matchAll(/^#?\s?([A-Z][A-Z0-9_]*)=/gm)].map(match => match[1]!))
}

/** The names that `.env` in a folder sets and nothing reads: neither docker-compose.yml nor Docker Compose itself. */
export async function findUnreadSettings(folder: string): Promise<string[]> {
  const known = await settingNames()
  return Object.keys(await readDotEnv(folder)).filter(
    name => !known.has(name) && !name.startsWith('COMPOSE_'),
  )
}

/** @throws {UserError} naming what was given to make, as in `make up KAFKA_PROT=9192`, and is read by nothing */
export async function requireKnownVariables(makeFlags: string | undefined): Promise<void> {
  const given = variablesIn(makeFlags ?? '')
  if (given.length === 0) return
  const known = new Set([...commandVariables, ...toolVariables, ...(await settingNames())])
  const isKnown = (name: string) => known.has(name) || proxyVariables.test(name) || toolPrefixes.test(name)
  const unknown = given.filter(name => !isKnown(name))
  if (unknown.length === 0) return
  throw new UserError(
    `Nothing reads ${unknown.join(', ')}.\nCommands have ${commandVariables.join(', ')}; the settings are in .env.example. Another setting of a service can be added to its environment in docker-compose.yml.`,
  )
}

/**
 * Pure. The names of the variables in MAKEFLAGS, which make passes on as flags, then `--`, then assignments, with a backslash
 * before each space of a value.
 */
export function variablesIn(makeFlags: string): string[] {
  const assignments = /(?:^| )-- (.*)$/s.exec(makeFlags)?.[1] ?? ''
  return [...assignments.matchAll(/(?:^|(?<!\\) )([A-Za-z_]\w*)[:+?!]*=/g)].map(match => match[1]!)
}
