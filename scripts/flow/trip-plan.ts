/** Which way a record goes, as docker-compose.yml describes what runs: through which topics, and to whom. */
import { outboxTopic, USER_CHANGES_TOPIC } from '@kafka-pattern/events'
import type { ComposeService } from '../compose-file/compose-file.ts'
import { isConnect } from '../local-runtime/connect-server.ts'

export type TripPlan = {
  /** every topic that somebody reads */
  topics: string[]
  /** Who takes each record of the topic, by the names of `consumerOf`. */
  consumersOf(topic: string): string[]
  /** The members of a group take records for each other, so they have one name: the group's. */
  consumerOf(service: string): string
  /** Where the change of a row goes that this registry has stored. */
  topicsAfter(registry: string): string[]
  /** How long a step may take, ms. */
  patienceMs: number
}

const stepLimitMs = 10_000

/**
 * What can be known from the description: who reads which topic, and who publishes.
 * @param running the services that run now
 */
export function planTrips(running: readonly ComposeService[]): TripPlan {
  const consumers = running.filter(({ environment }) => environment.KAFKA_TOPICS !== undefined)
  const topics = [...new Set(consumers.flatMap(topicsOf))]
  const isPublished = (topic: string) =>
    running.some(
      service =>
        isConnect(service) ||
        (topic === USER_CHANGES_TOPIC
          ? service.program === 'cdc-poller' && (service.environment.KAFKA_TOPIC ?? topic) === topic
          : service.program === 'outbox-relay'),
    )
  return {
    topics,
    consumersOf: topic => [
      ...new Set(consumers.filter(service => topicsOf(service).includes(topic)).map(nameOf)),
    ],
    consumerOf(name) {
      const service = running.find(candidate => candidate.name === name)
      return service === undefined ? name : nameOf(service)
    },
    topicsAfter(registry) {
      const writes = running.find(({ name }) => name === registry)?.environment.WRITE_MODE
      const wanted = writes === 'outbox' ? [outboxTopic('user'), USER_CHANGES_TOPIC] : [USER_CHANGES_TOPIC]
      return wanted.filter(topic => topics.includes(topic) && isPublished(topic))
    },
    patienceMs:
      stepLimitMs +
      Math.max(0, ...running.map(({ environment }) => Number(environment.BATCH_TIMEOUT_MS ?? 0))),
  }
}

function nameOf({ name, environment }: ComposeService): string {
  return environment.KAFKA_CONSUMER_GROUP ?? name
}

function topicsOf({ environment }: ComposeService): string[] {
  return (environment.KAFKA_TOPICS ?? '').split(',').map(topic => topic.trim())
}
