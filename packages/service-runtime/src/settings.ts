import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'dotenv'
import { z } from 'zod'
import { errorCode } from './error-code.ts'
import { exitCodes } from './exit-codes.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Building blocks for settings, which arrive as text. Each takes a string only, so none turns an accident into a
 * value: plain zod coercion would read `false` as true, and a blank as 0.
 */
export const settingsTypes = {
  /** Text between commas, trimmed, at least one. */
  list: z
    .string()
    .transform(text => text.split(',').map(item => item.trim()))
    .refine(items => items.every(item => item !== ''), 'must be a list such as a,b,c without empty places'),
  /** true/false, yes/no, on/off, 1/0. */
  flag: z.stringbool(),
  /** 0 asks the system for any free port. */
  port: wholeNumber({ min: 0, max: 65_535 }),
  /** A timeout in ms, as long as Node's timers can wait (24 days). */
  durationMs: wholeNumber({ min: 0, max: 2 ** 31 - 1 }),
  /** Text that no message may show; keys that contain PASSWORD, SECRET or TOKEN are secret without it. */
  secret: z.string().meta({ secret: true }),
  wholeNumber,
}

function wholeNumber({ min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }) {
  const error =
    max === Number.MAX_SAFE_INTEGER
      ? `must be a whole number, at least ${min}`
      : `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .trim()
    .regex(/^-?\d+$/, { error, abort: true })
    .transform(Number)
    .refine(value => value >= min && value <= max, { error })
}

/** What every service reads; spread it into the service's own schema. */
export const runtimeSettings = {
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Where /healthz, /readyz and /metrics answer. 0 = any free port; the log names it. */
  PROBE_PORT: settingsTypes.port.default(0),
  /** Containers set 0.0.0.0, or nobody outside could ask. */
  PROBE_HOST: z.string().default('127.0.0.1'),
  /** Below the 30 s after which Kubernetes kills a terminating pod; Docker's 10 s must be raised to match. */
  SHUTDOWN_TIMEOUT_MS: settingsTypes.durationMs.default(25_000),
}

export type RuntimeSettings = z.output<z.ZodObject<typeof runtimeSettings>>

/** What is wrong with a setting, in words that hold no secret. */
export type SettingsProblem = { readonly key: string; readonly problem: string }

/** Every wrong setting at once; the message is for a person at a terminal. */
export class SettingsError extends Error {
  readonly problems: readonly SettingsProblem[]
  readonly keys: readonly string[]
  constructor(problems: readonly SettingsProblem[]) {
    const width = Math.max(...problems.map(({ key }) => key.length))
    const lines = problems.map(({ key, problem }) => `  ${key.padEnd(width)}  ${problem}`)
    super([problems.length === 1 ? 'a setting is wrong' : 'settings are wrong', ...lines].join('\n'))
    this.name = 'SettingsError'
    this.problems = problems
    this.keys = [...new Set(problems.map(({ key }) => key))]
  }
}

/**
 * The environment as the schema's type. An empty string counts as not set.
 *
 * @throws SettingsError naming every key that is missing or wrong, and what it was, except for secrets
 */
export function parseSettings<S extends z.ZodType>(schema: S, environment: Environment): z.output<S> {
  const given = withoutEmpty(environment)
  const parsed = schema.safeParse(given, { error: sayChoices })
  if (parsed.success) return parsed.data

  const secretKeys = keysMarkedSecret(schema)
  throw new SettingsError(
    parsed.error.issues.map(issue => {
      const key = String(issue.path[0] ?? '(together)')
      return { key, problem: describe(issue, key, given[key], secretKeys) }
    }),
  )
}

/**
 * Settings of a service: the environment, completed by the file `.env` of the working directory (which never overrides it).
 * Ends the process with exit code 78 (EX_CONFIG of sysexits.h) and one message on stderr if any key is wrong.
 */
export function loadSettings<S extends z.ZodType>(
  schema: S,
  { name, directory = process.cwd() }: { name: string; directory?: string },
): z.output<S> {
  try {
    return parseSettings(schema, { ...readEnvFile(directory), ...withoutEmpty(process.env) })
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    const file = resolve(directory, '.env')
    const isFromEnvironment = error.keys.every(key => withoutEmpty(process.env)[key] !== undefined)
    const where = isFromEnvironment
      ? `The environment sets them, and counts before ${file}`
      : `Set them in the environment or in ${file}`
    process.stderr.write(`${name}: ${error.message}\n${where}; the service's README lists them all.\n`)
    return process.exit(exitCodes.badSettings)
  }
}

function readEnvFile(directory: string): Environment {
  const file = resolve(directory, '.env')
  try {
    return parse(readFileSync(file))
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT') return {}
    throw new SettingsError([{ key: file, problem: `cannot be read (${code})` }])
  }
}

function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

/** In the words of the other messages; of the many spellings of true and false two are enough. */
function sayChoices(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'invalid_value') return undefined
  const isFlag = issue.values.includes('true') && issue.values.includes('false')
  return isFlag ? 'must be true or false' : `must be one of ${issue.values.join(', ')}`
}

function describe(
  issue: z.core.$ZodIssue,
  key: string,
  given: string | undefined,
  secretKeys: Set<string>,
): string {
  const { code, message } = issue
  // A custom issue is about other keys too, such as a user name without its password.
  if (given === undefined) return code === 'custom' ? `${message} (not set)` : 'is not set'
  const secret = secretKeys.has(key) || /PASSWORD|SECRET|TOKEN/i.test(key)
  return `${message} (${secret ? 'its value is not shown' : `was ${JSON.stringify(hidePasswordOfUrl(given))}`})`
}

function hidePasswordOfUrl(text: string): string {
  return text.replace(/(\/\/[^\s:@/]*):[^\s@]*@/g, '$1:***@')
}

function keysMarkedSecret(schema: z.ZodType): Set<string> {
  const fields = schema instanceof z.ZodObject ? Object.entries(schema.shape) : []
  return new Set(
    fields.filter(([, type]) => type instanceof z.ZodType && isMarkedSecret(type)).map(([key]) => key),
  )
}

/** `.optional()`, `.default()` and `.transform()` wrap the type that carries the mark. */
function isMarkedSecret(type: z.ZodType): boolean {
  if (type.meta()?.['secret'] === true) return true
  const inner = 'innerType' in type.def ? type.def.innerType : 'in' in type.def ? type.def.in : undefined
  return inner instanceof z.ZodType && isMarkedSecret(inner)
}
