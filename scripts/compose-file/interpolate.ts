/** The part of Docker Compose's variable substitution that docker-compose.yml needs: ${VAR}, ${VAR:-default}, and $$ for a dollar sign. */
import { UserError } from '../user-error.ts'

export type Variables = Record<string, string | undefined>

const substitution = /\$(?:\$|\{([A-Za-z_]\w*)(?::-([^$}]*))?\}|)/g

/**
 * An empty variable counts as missing where there is a default, as Compose has it.
 * @throws {UserError} for what Compose may understand and this does not
 */
export function interpolate(template: string, variables: Variables): string {
  return template.replaceAll(
    substitution,
    (found, name: string | undefined, otherwise: string | undefined) => {
      if (found === '$$') return '$'
      if (name === undefined) {
        throw new UserError(
          `docker-compose.yml: "${template}" is not understood here: write \${VAR}, \${VAR:-default}, or $$ for a dollar sign.`,
        )
      }
      const value = variables[name] ?? ''
      return value === '' ? (otherwise ?? '') : value
    },
  )
}

/** The names of the variables that the text uses, in order of appearance. */
export function variablesIn(template: string): string[] {
  const names = [...template.matchAll(substitution)].map(([, name]) => name)
  return [...new Set(names)].filter(name => name !== undefined)
}
