/**
 * Where each record of the demo has been: pure bookkeeping over what the services' logs say, in whatever order the lines
 * come. Times are ms on one clock of the caller's.
 */
import type { RecordStep } from '../../flow/flow-event.ts'

export type Expectation = 'processed' | 'retried' | 'dead-lettered'

/** A place in Kafka: "user/2@17" is offset 17 of partition 2 of the topic user. */
export type Place = { topic: string; partition: number; offset: string }

export type Journey = {
  label: string
  topic: string
  expected: Expectation
  sentAt: number
  place: Place | null
  acknowledgedAt: number | null
  /** when the last of the simple-consumers had it: each of them sees every record */
  seenAt: number | null
  seenBy: Set<string>
  /** one entry for each attempt that failed */
  retries: { delayMs: number; reason: string }[]
  processedAt: number | null
  attempts: number
  batch: number | null
  deadLetter: (Place & { category: string; reason: string }) | null
  deadLetteredAt: number | null
  committedAt: number | null
}

export type Step = 'acknowledged' | 'seen' | 'retried' | 'processed' | 'dead-lettered' | 'committed'

export type Journeys = {
  send(label: string, topic: string, expected: Expectation, atMs: number): Journey
  acknowledge(journey: Journey, place: Place, atMs: number): void
  /** @param service whose log told it */
  apply(event: RecordStep, atMs: number, service: string): void
  all(): Journey[]
}

export function formatPlace({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}@${offset}`
}

/** The steps that a record has yet to take; none when its journey went as expected. */
export function missingSteps(journey: Journey): Step[] {
  const missing: Step[] = []
  if (journey.acknowledgedAt === null) missing.push('acknowledged')
  if (journey.seenAt === null) missing.push('seen')
  if (journey.expected === 'retried' && journey.retries.length === 0) missing.push('retried')
  if (journey.expected === 'dead-lettered') {
    if (journey.deadLetteredAt === null) missing.push('dead-lettered')
  } else if (journey.processedAt === null) missing.push('processed')
  if (journey.committedAt === null) missing.push('committed')
  return missing
}

/**
 * `onStep` is told of every step of a record that was sent here, once its place is known.
 * @param readers services of which each should see every record
 */
export function createJourneys(onStep: (step: Step, journey: Journey) => void, readers = 1): Journeys {
  const journeys: Journey[] = []
  const byPlace = new Map<string, Journey>()
  // A consumer's line may come before the producer's answer has told which record is where.
  const early: { event: RecordStep; atMs: number; service: string }[] = []

  function tell(event: RecordStep, atMs: number, service: string): void {
    if (event.msg === 'record acknowledged') return // The HTTP answer has told it.
    if (event.msg === 'batch committed') {
      for (const journey of byPlace.values()) {
        if (journey.committedAt === null && isIn(event, journey.place!)) {
          journey.committedAt = atMs
          journey.batch = event.batch
          onStep('committed', journey)
        }
      }
      return
    }
    const journey = byPlace.get(formatPlace(event))
    if (journey === undefined) return
    switch (event.msg) {
      case 'record seen':
        journey.seenBy.add(service)
        if (journey.seenAt !== null || journey.seenBy.size < readers) return
        journey.seenAt = atMs
        return onStep('seen', journey)
      case 'record retried':
        journey.retries.push({ delayMs: event.delayMs, reason: event.reason })
        return onStep('retried', journey)
      case 'record processed':
        journey.processedAt = atMs
        journey.attempts = event.attempts
        journey.batch = event.batch
        return onStep('processed', journey)
      case 'record dead-lettered':
        journey.deadLetteredAt = atMs
        journey.deadLetter = {
          topic: event.deadLetterTopic,
          partition: event.deadLetterPartition,
          offset: event.deadLetterOffset,
          category: event.category,
          reason: event.reason,
        }
        return onStep('dead-lettered', journey)
    }
  }

  return {
    all: () => journeys,

    send(label, topic, expected, atMs) {
      const journey: Journey = {
        label,
        topic,
        expected,
        sentAt: atMs,
        place: null,
        acknowledgedAt: null,
        seenAt: null,
        seenBy: new Set(),
        retries: [],
        processedAt: null,
        attempts: 0,
        batch: null,
        deadLetter: null,
        deadLetteredAt: null,
        committedAt: null,
      }
      journeys.push(journey)
      return journey
    },

    acknowledge(journey, place, atMs) {
      journey.place = place
      journey.acknowledgedAt = atMs
      byPlace.set(formatPlace(place), journey)
      onStep('acknowledged', journey)
      for (const told of early) if (isAbout(told.event, place)) tell(told.event, told.atMs, told.service)
    },

    apply(event, atMs, service) {
      // Kept as long as some record's place is unknown: it may be about that one.
      if (journeys.some(journey => journey.place === null)) early.push({ event, atMs, service })
      tell(event, atMs, service)
    },
  }
}

function isAbout(event: RecordStep, place: Place): boolean {
  return event.msg === 'batch committed' ? isIn(event, place) : formatPlace(event) === formatPlace(place)
}

function isIn(batch: RecordStep & { msg: 'batch committed' }, place: Place): boolean {
  const offset = BigInt(place.offset)
  return (
    batch.topic === place.topic &&
    batch.partition === place.partition &&
    BigInt(batch.firstOffset) <= offset &&
    offset < BigInt(batch.nextOffset)
  )
}
