import { randomUUID } from 'node:crypto'

/** A name for a topic, a group or a client that no other test has: the prefix, then eight random hex digits. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`
}
