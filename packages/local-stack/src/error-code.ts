/** The `code` of a system error, e.g. ENOENT (or an exit code of execFile); undefined for everything else. */
export function errorCode(error: unknown): string | number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' || typeof error.code === 'number' ? error.code : undefined
}
