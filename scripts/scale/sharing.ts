/** What several instances of a service do with its work: they share it, repeat it, or stand by. By its program. */
import type { ComposeService } from '../compose-file/compose-file.ts'
import type { ServiceStatus, Runtime, Stack } from '../runtime/runtime.ts'
import { openBroadcast } from './broadcast.ts'
import { openCursor } from './cursor.ts'
import { openLanes } from './lanes.ts'
import { openPartitions } from './partitions.ts'

export type RunningInstance = {
  name: string
  process: ServiceStatus['process']
}

/** What each instance has, by its name, in words; '' = nothing. */
export type Holdings = Map<string, string>

export interface Sharing {
  /** Goes on where a sentence names the instances: "which share the 9 partitions of user, family, coworker". */
  readonly how: string
  /** What an instance does that has nothing: "idles". */
  readonly idles: string
  /** A warning when some of so many instances will have nothing to do; null: none will. */
  idleWarning(instances: number): string | null
  /** Null as long as the work is not settled among exactly these instances. */
  holdings(instances: RunningInstance[]): Promise<Holdings | null>
  close(): Promise<void>
}

type Opening = (service: ComposeService, stack: Stack, kind: Runtime['kind']) => Promise<Sharing>

const byProgram: Record<string, Opening> = {
  'simple-consumer': openBroadcast,
  'batch-consumer': openPartitions,
  'mysql-sink-consumer': openPartitions,
  'outbox-relay': openLanes,
  'cdc-poller': openCursor,
}

export function sharingOf(service: ComposeService): Opening | null {
  return byProgram[service.program ?? ''] ?? null
}
