import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'

/** A record's value as the schema's type, or one sentence on why it is not. */
export type ParsedValue<T> = { ok: true; value: T } | { ok: false; reason: string }

/**
 * Reads the value of a record as UTF-8 JSON of the given schema. Never throws: what another program wrote is
 * data to judge, and a value that cannot be read is a decision of the caller (dead-letter it), not an accident.
 * @param isPlain knows at once most of what the schema accepts, and only that, as it is; the schema judges the rest
 */
export function parseRecordValue<S extends z.ZodType>(
  schema: S,
  value: Buffer | null,
  isPlain?: (json: unknown) => json is z.output<S>,
): ParsedValue<z.output<S>> {
  if (value === null) return { ok: false, reason: 'value is null (a tombstone)' }
  const text = value.toString('utf8')
  // Broken bytes are replaced by U+FFFD, and the text would pass as a name somebody chose. Who did choose that character may.
  if (text.includes('\uFFFD') && !isUtf8(value)) return { ok: false, reason: 'value is not JSON: not UTF-8' }

  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return {
      ok: false,
      reason: `value is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    }
  }

  if (isPlain?.(json) === true) return { ok: true, value: json }
  const parsed = schema.safeParse(json)
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, reason: `value is not of the schema: ${describe(parsed.error)}` }
}

function describe(error: z.ZodError): string {
  return error.issues
    .map(issue => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
    .join('; ')
}
