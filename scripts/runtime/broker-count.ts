/**
 * One broker (the service kafka) or a cluster of three (kafka-1 to kafka-3): BROKERS says which. Each has data of its own, and only one
 * of the two runs at a time.
 */
import type { ComposeService } from '../compose-file/compose-file.ts'
import type { Variables } from '../compose-file/interpolate.ts'
import { isKafka } from '../local-runtime/kafka-server.ts'
import { UserError } from '../user-error.ts'
import type { Runtime, Stack } from './runtime.ts'

export type BrokerCount = 1 | 3

/** The profiles of docker-compose.yml that the brokers are in. */
export const brokerProfiles = { 1: 'one-broker', 3: 'three-brokers' } as const

/** @throws {UserError} when BROKERS is neither 1 nor 3 */
export function brokerCountOf({ BROKERS }: Variables): BrokerCount {
  if (BROKERS === undefined || BROKERS === '' || BROKERS === '1') return 1
  if (BROKERS === '3') return 3
  throw new UserError(`BROKERS must be 1 or 3, but is "${BROKERS}".`)
}

/** The brokers of a stack of so many, in the order of their node ids. */
export function brokersOf({ file, brokers }: Pick<Stack, 'file' | 'brokers'>): ComposeService[] {
  return file.services.filter(
    service => isKafka(service) && service.profiles.includes(brokerProfiles[brokers]),
  )
}

/** How many brokers what runs now was started with, those included that have ended since; null when no broker was started. */
export async function runningBrokers(
  runtime: Pick<Runtime, 'started'>,
  { file }: Pick<Stack, 'file'>,
): Promise<BrokerCount | null> {
  const started = await runtime.started()
  const counts: BrokerCount[] = [1, 3]
  return (
    counts.find(brokers => brokersOf({ file, brokers }).some(({ name }) => started.includes(name))) ?? null
  )
}

/** @throws {UserError} when what runs has another number of brokers than is to be started */
export async function requireSameBrokers(
  runtime: Pick<Runtime, 'started'>,
  stack: Pick<Stack, 'file' | 'brokers'>,
): Promise<void> {
  const running = await runningBrokers(runtime, stack)
  if (running === null || running === stack.brokers) return
  throw new UserError(
    running === 1
      ? 'The stack runs with one broker, and three brokers have data of their own: `make down` first.'
      : 'The stack runs with three brokers, and one broker has data of its own: `make down` first, or say BROKERS=3.',
  )
}
