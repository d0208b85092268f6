/**
 * Something that the person at the keyboard can put right: a port in use, a missing tool, a service that refused its settings.
 * The message is complete sentences with the remedy; `runCommand` prints it without a stack.
 */
export class UserError extends Error {
  override name = 'UserError'
}
