/** What the services' logs and the topics' records tell of trips. */
import { HEADERS, headerText } from '@kafka-pattern/events'
import { replayedFromHeader } from '@kafka-pattern/dead-letter'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'
import type { ComposeService } from '../compose-file/compose-file.ts'
import type { FlowEvent } from './flow-event.ts'
import type { Place, TripFact } from './trips.ts'

/** @param seenAtMs when the line was read, for those that tell no time themselves */
export function factsOf(service: ComposeService, event: FlowEvent, seenAtMs: number): TripFact[] {
  const { name } = service
  switch (event.msg) {
    case 'record acknowledged': {
      const { topic, partition, offset, durationMs, correlationId = '' } = event
      const at = (event.time ?? seenAtMs) - durationMs
      const request = 'POST /create'
      const place = { topic, partition, offset }
      return [{ fact: 'produced', service: name, request, correlationId, at, tookMs: durationMs, place }]
    }
    case 'user stored': {
      const { correlationId, userId, version, events, durationMs = null } = event
      return [
        {
          fact: 'stored',
          service: name,
          request: requestOf(events),
          correlationId,
          at: (event.time ?? seenAtMs) - (durationMs ?? 0),
          tookMs: durationMs,
          userId,
          version,
          changes: events.length,
          as: service.environment.WRITE_MODE === 'outbox' ? 'row, outbox' : 'row',
        },
      ]
    }
    case 'record seen': {
      const from = BigInt(event.offset)
      const { topic, partition } = event
      return [{ fact: 'taken', service: name, topic, partition, from, to: from + 1n, at: seenAtMs }]
    }
    case 'batch committed':
    case 'batch applied': {
      const { topic, partition, firstOffset, nextOffset, time = seenAtMs } = event
      const range = { from: BigInt(firstOffset), to: BigInt(nextOffset) }
      return [{ fact: 'taken', service: name, topic, partition, ...range, at: time }]
    }
    case 'record retried':
      return [noted(name, event, null)]
    case 'record processed':
      return event.attempts > 1 ? [noted(name, event, `attempt ${event.attempts}`)] : []
    case 'record dead-lettered': {
      const place = `${event.deadLetterTopic}/${event.deadLetterPartition}@${event.deadLetterOffset}`
      return [noted(name, event, `dead-lettered to ${place}: ${event.reason}`)]
    }
    default:
      return []
  }
}

/**
 * None for a tombstone: it ends what the record before it told.
 * @param seenAtMs when it was read, for a dead letter that was sent back: it has kept the time of its first journey
 */
export function factOfRecord(
  topic: string,
  partition: number,
  record: KafkaRecord,
  seenAtMs: number,
): TripFact[] {
  const { offset, key, value, headers, timestamp } = record
  if (value === null) return []
  const replayedFrom = placeIn(headerText(headers, replayedFromHeader) ?? '')
  return [
    {
      fact: 'record',
      place: { topic, partition, offset },
      at: replayedFrom === null ? Number(timestamp) : seenAtMs,
      replayedFrom,
      correlationId: headerText(headers, HEADERS.correlationId) || null,
      key: key?.toString() ?? '',
      version: versionIn(value),
    },
  ]
}

/** "user.billing.dlt/2/17", as a replay writes it. */
function placeIn(text: string): Place | null {
  const [, topic, partition, offset] = /^([^/]+)\/(\d+)\/(\d+)$/.exec(text) ?? []
  return topic === undefined ? null : { topic, partition: Number(partition), offset: offset! }
}

function noted(
  service: string,
  { topic, partition, offset }: { topic: string; partition: number; offset: string },
  note: string | null,
): TripFact {
  return { fact: 'noted', service, place: { topic, partition, offset }, note }
}

function requestOf(events: string[]): string {
  if (events.includes('UserCreated')) return 'POST /users'
  return events.includes('UserDeleted') ? 'DELETE /users/:id' : 'PUT /users/:id'
}

function versionIn(value: Buffer): number | null {
  try {
    const json: unknown = JSON.parse(value.toString())
    return typeof json === 'object' && json !== null && 'version' in json && typeof json.version === 'number'
      ? json.version
      : null
  } catch {
    // Whatever it is, it is no state of a row.
    return null
  }
}
