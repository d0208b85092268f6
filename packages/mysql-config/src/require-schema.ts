/** What a service checks once, when it starts: that the database is the one it was written for. */
import { classifyMysqlError, SchemaError } from './errors.ts'
import type { Queryable } from './lease.ts'
import type { Mysql } from './mysql.ts'

/**
 * Checks that the tables of infra/mysql's file for `component` are there, in the version that the service was written for.
 * @throws SchemaError with one sentence: what was found, and what to do
 */
export async function requireSchema(mysql: Mysql, component: string, version: number): Promise<void> {
  const found = await mysql
    .rows<{ version: number }>('SELECT version FROM schema_versions WHERE component = ?', [component])
    .catch((error: unknown) => {
      if (classifyMysqlError(error) !== 'fatal') throw error
      throw new SchemaError(
        `the database has no readable table schema_versions (${messageOf(error)}): load infra/mysql into it`,
        error,
      )
    })
  if (found[0]?.version === version) return
  throw new SchemaError(
    `the database has ${found[0] === undefined ? 'no schema' : `schema version ${found[0].version}`} of ${component}, but version ${version} is needed: load infra/mysql of this release into an empty database (\`make clean\` removes the one of \`make up\`)`,
  )
}

/**
 * Checks that the database user may do what `component` does, by statements of the same kind that change nothing, such as
 * `UPDATE users SET level = 0 WHERE FALSE`: one that is refused now would be refused later, with a request in hand.
 * @throws SchemaError with one sentence: what is refused, and what to do
 */
export async function requireGrants(
  mysql: Pick<Queryable, 'write'>,
  component: string,
  statements: readonly string[],
): Promise<void> {
  for (const statement of statements) {
    try {
      await mysql.write(statement)
    } catch (error) {
      if (classifyMysqlError(error) !== 'fatal') throw error
      throw new SchemaError(
        `the database refuses what ${component} needs (${messageOf(error)}): grant it as infra/mysql does in the file of ${component}`,
        error,
      )
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
