import type { ServiceStatus } from '../runtime/runtime.ts'

/**
 * Whether a lease is this process's, by the name that it gives itself: host and pid, then perhaps more. Of a container only the host is
 * known, which no other process shares.
 */
export function isOwner(owner: string, { host, pid }: ServiceStatus['process'], separator: string): boolean {
  const name = pid === null ? host : `${host}${separator}${pid}`
  return owner === name || owner.startsWith(`${name}${separator}`)
}
