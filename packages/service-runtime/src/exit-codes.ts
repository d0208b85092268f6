/** Why a service ended, as sysexits.h numbers it where it has a number. */
export const exitCodes = {
  ok: 0,
  /** An unexpected error, or a drain that did not finish. */
  failed: 1,
  /** EX_UNAVAILABLE: a port it needs is taken. */
  portInUse: 69,
  /** EX_CONFIG: a setting is missing or wrong. */
  badSettings: 78,
} as const
