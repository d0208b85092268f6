import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'

/** A record's value as the schema's type, or one sentence on why it is not. */
export type ParsedValue<T> = { ok: true; value: T } | { ok: false; reason: string }

/**
 * Reads the value of a record as UTF-8 JSON of the given schema. Never throws: what another program wrote is
 * data to judge, and a value that cannot be read is a decision of the caller (dead-letter it), not an accident.
 */
export function parseRecordValue<S extends z.ZodType>(
  schema: S,
  value: Buffer | null,
): ParsedValue<z.output<S>> {
  if (value === null) return { ok: false, reason: 'value is null (a tombstone)' }
  // toString() would replace broken bytes by U+FFFD, and the text would pass as a name somebody chose.
  if (!isUtf8(value)) return { ok: false, reason: 'value is not JSON: not UTF-8' }

  let json: unknown
  try {
    json = JSON.parse(value.toString('utf8'))
  } catch (error) {
    return {
      ok: false,
      reason: `value is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    }
  }

  const parsed = schema.safeParse(json)
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, reason: `value is not of the schema: ${describe(parsed.error)}` }
}

function describe(error: z.ZodError): string {
  return error.issues
    .map(issue => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
    .join('; ')
}
