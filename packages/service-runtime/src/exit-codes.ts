/** Why a service ended, as sysexits.h numbers it where it has a number. */
export const exitCodes = {
  ok: 0,
  /** An unexpected error, or a drain that did not finish. */
  failed: 1,
  /** EX_UNAVAILABLE: a port it needs is taken. */
  portInUse: 69,
  /** EX_CONFIG: a setting is missing or wrong, or what was set up elsewhere: a database's schema, a right. */
  badSettings: 78,
} as const

/**
 * The code that an error carries in a property `exitCode`, or null. Such an error is for the person who starts the service: its
 * message is one sentence with the remedy, and its stack says nothing more.
 */
export function exitCodeOf(error: Error): number | null {
  return 'exitCode' in error && typeof error.exitCode === 'number' ? error.exitCode : null
}
