/** The two ways in which docker-compose.yml is run have one shape, so that no command needs to know which it is. */
import type { ComposeFile, ComposeService } from '../compose-file/compose-file.ts'
import type { Variables } from '../compose-file/interpolate.ts'
import type { BrokerCount } from './broker-count.ts'

export type Stack = {
  repositoryDir: string
  file: ComposeFile
  /** how many brokers it has, or would be started with */
  brokers: BrokerCount
  /** `.env` and the environment */
  variables: Variables
  /** where the local runtime keeps data, logs and state */
  stateDir: string
}

export type ServiceStatus = {
  service: string
  state: 'ready' | 'not ready' | 'ended'
  /** e.g. "pid 1234", "Up 3 minutes (healthy)" */
  detail: string
  /** by what it names itself where it takes a lease; the pid only where several share a host */
  process: { host: string; pid: number | null }
}

export type StoppedService = { service: string; end: ServiceEnd }

/** How it ended that was to be stopped: by itself before that, by SIGTERM, or by SIGKILL because SIGTERM had not done. */
export type ServiceEnd = 'ended before' | 'terminated' | 'killed'

export type LogOptions = {
  services: string[]
  /** how many of the newest lines of each service come first */
  lastLines: number
  /** go on with what is written from now on, until the signal */
  follow?: AbortSignal
}

/** A program to be run on this terminal; `env` comes on top of this process's own. */
export type SqlClient = { command: string; parameters: string[]; env: Record<string, string> }

export interface Runtime {
  readonly kind: 'local' | 'containers'
  /** for sentences: "local processes", "containers" */
  readonly title: string
  /**
   * Starts what of these does not run yet; resolves when all are ready.
   * @throws {UserError} when one of them cannot be started, with the end of its log
   */
  up(services: ComposeService[]): Promise<void>
  /**
   * Starts what of these instances does not run yet beside their service, and touches nothing else; resolves when all are ready.
   * @throws {UserError} as `up` does; as local processes also when the service was stopped meanwhile
   */
  add(instances: ComposeService[]): Promise<void>
  /** SIGKILL, as if it had crashed; nothing brings it back but `up`. Resolves when it is gone. */
  kill(name: string): Promise<void>
  /** Every service of docker-compose.yml and each instance that runs, or that ended by itself. */
  started(): Promise<string[]>
  /** One for each of them. Takes seconds when one hangs, which `started` does not ask. */
  status(): Promise<ServiceStatus[]>
  /** Stops and removes those of these services that were started: SIGTERM, and SIGKILL at the end of their grace period. */
  stop(names: string[]): Promise<StoppedService[]>
  /** Stops everything, the data stays. Resolves with the names of what was stopped; local processes that had to be killed are told of. */
  down(): Promise<string[]>
  /** Stops everything and removes all data. */
  clean(): Promise<void>
  /** The services' output, in order for each service; no line that is written after the call is missed. */
  logs(options: LogOptions, onLine: (service: string, line: string) => void): Promise<void>
  /** The client that comes with the database, as root on it; null when it does not run. */
  sqlClient(mysql: ComposeService): Promise<SqlClient | null>
}
