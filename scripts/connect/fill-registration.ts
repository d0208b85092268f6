/** A file of infra/connect with its placeholders filled: what Connect's REST interface takes. Pure. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { UserError } from '../user-error.ts'

export type Registration = { name: string; config: Record<string, string> }

const registration = z.object({ name: z.string(), config: z.record(z.string(), z.string()) })

/**
 * `file` is the file's name without its ending: the connector's own name, unless CONNECTOR_NAME gives it another.
 * @throws {UserError} naming the variables that are missing
 */
export function fillRegistration(
  file: string,
  text: string,
  variables: Record<string, string>,
  overrides: Record<string, string> = {},
): Registration {
  const name = variables.CONNECTOR_NAME ?? file
  const values: Record<string, string> = {
    CONNECTOR_NAME: name,
    SERVER_ID: String(serverIdOf(name)),
    ...variables,
  }
  const missing = new Set<string>()
  // Filled in after parsing, so that a value may hold quotes and backslashes.
  const fill = (value: string) =>
    value.replaceAll(/\$\{([A-Z][A-Z0-9_]*)\}/g, (placeholder, variable: string) => {
      const filled = values[variable]
      if (filled === undefined) missing.add(variable)
      return filled ?? placeholder
    })
  const template = registration.parse(JSON.parse(text))
  const config = Object.fromEntries(Object.entries(template.config).map(([key, value]) => [key, fill(value)]))
  if (missing.size > 0) {
    throw new UserError(`infra/connect/${file}.json needs values for ${[...missing].join(', ')}.`)
  }
  return { name: fill(template.name), config: { ...config, ...overrides } }
}

/**
 * To the database a connector is a replica, and two replicas of one id throw each other out; so each name has an id of its own,
 * the same after every restart: 2^31 and more, out of the way of ids that people give to servers.
 */
function serverIdOf(name: string): number {
  return 2 ** 31 + (createHash('sha256').update(name).digest().readUInt32BE() % 2 ** 31)
}
