import { setTimeout as delay } from 'node:timers/promises'
import { createKafka, kafkaSettings, type Kafka } from '@kafka-pattern/kafka-config'
import { describeCluster } from '@kafka-pattern/local-stack'
import { pino, type Logger } from 'pino'
import { z } from 'zod'
import { parseAddress } from './doctor/examine-kafka.ts'
import { UserError } from './user-error.ts'

const askEveryMs = 2_000
// A busy machine's broker may pause for some seconds.
const requiredWithinMs = 10_000

/** A client for the commands: quiet, because they say themselves what a person needs to know. */
export function quietKafka(
  brokers: string,
  clientId: string,
): { kafka: Kafka; logger: Logger; clientId: string } {
  const logger = pino({ level: 'silent' })
  const settings = z.object(kafkaSettings).parse({ KAFKA_BROKERS: brokers, KAFKA_CLUSTER_NAME: clientId })
  return { kafka: createKafka(settings, logger), logger, clientId }
}

/** @throws {UserError} at once when nothing listens, within 10 s when nobody answers; the client itself would try for half a minute */
export async function requireKafka(brokers: string): Promise<void> {
  if (await answers(brokers, requiredWithinMs)) return
  throw new UserError(
    `Kafka at ${brokers} cannot be reached. \`make up\` starts it if it does not run; \`make doctor\` says more.`,
  )
}

/** Calls `tell` whenever Kafka ceases to answer (false) or answers again (true), until `signal`. */
export async function followAnswers(
  brokers: string,
  signal: AbortSignal,
  tell: (answer: boolean) => void,
): Promise<void> {
  let answered = true
  while (!signal.aborted) {
    const answer = await answers(brokers)
    if (answer !== answered && !signal.aborted) tell(answer)
    answered = answer
    // Rejects only when it is aborted, which ends the loop.
    await delay(askEveryMs, undefined, { signal }).catch(() => {})
  }
}

/** Whether any of the brokers does. */
async function answers(brokers: string, withinMs = askEveryMs): Promise<boolean> {
  const addresses = brokers.split(',').flatMap(text => parseAddress(text) ?? [])
  const asked = addresses.map(async address => {
    if ((await describeCluster(address, withinMs)) === null) throw new Error('no answer')
  })
  // The first that does: one that hangs is not waited for.
  return Promise.any(asked).then(
    () => true,
    () => false,
  )
}
