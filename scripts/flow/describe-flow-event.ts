import { colors, printable } from '../terminal.ts'
import type { FlowEvent } from './flow-event.ts'

/** One step of a record in one line. */
export function describeFlowEvent(event: FlowEvent): string {
  switch (event.msg) {
    case 'record acknowledged':
      return `${placeOf(event)} acknowledged in ${Math.round(event.durationMs)} ms${requestOf(event)}`
    case 'record seen':
      return `${placeOf(event)} seen: ${event.value}`
    case 'record processed':
      return `${placeOf(event)} processed in batch ${event.batch}${event.attempts > 1 ? `, attempt ${event.attempts}` : ''}`
    case 'record retried':
      return `${placeOf(event)} ${colors.yellow(`attempt ${event.attempt} in ${event.delayMs} ms: ${printable(event.reason)}`)}`
    case 'record dead-lettered': {
      const place = `${event.deadLetterTopic}/${event.deadLetterPartition}@${event.deadLetterOffset}`
      return `${placeOf(event)} ${colors.red(`dead-lettered to ${place} (${event.category}): ${printable(event.reason)}`)}`
    }
    case 'batch committed':
      return `${rangeOf(event)} ${colors.green(`batch ${event.batch} committed, ${count(event.records, 'record')}`)}`
    case 'user stored':
      return `user ${event.userId} version ${event.version} stored: ${event.events.join(', ')}${requestOf(event)}`
    case 'changes published':
      return `${event.topic} ${count(event.records, 'change')} published`
    case 'events published':
      return `${count(event.records, 'event')} published`
    case 'row parked':
      return `outbox row ${event.seq} of ${printable(event.aggregateid)} ${colors.red(`parked: ${printable(event.reason)}`)}`
    case 'row too large':
      return `${event.table} row ${printable(event.key)} ${colors.red(`not published: ${printable(event.reason)}`)}`
    case 'batch applied':
      break
  }
  const { upserted, deleted, stale } = event
  const outcomes = Object.entries({ upserted, deleted, stale }).filter(([, rows]) => rows > 0)
  const details = outcomes.map(([outcome, rows]) => `${rows} ${outcome}`).join(', ')
  return `${rangeOf(event)} ${colors.green(`${count(event.records, 'record')} applied: ${details || 'nothing to do'}`)}`
}

/** The correlation id, with which the trip of a record begins. */
function requestOf({ correlationId }: { correlationId?: string | undefined }): string {
  return correlationId === undefined ? '' : colors.dim(`, request ${printable(correlationId)}`)
}

/** "topic/1@5-9", "topic/1@5" */
function rangeOf(batch: {
  topic: string
  partition: number
  firstOffset: string
  nextOffset: string
}): string {
  const last = String(BigInt(batch.nextOffset) - 1n)
  const offsets = last === batch.firstOffset ? last : `${batch.firstOffset}-${last}`
  return `${batch.topic}/${batch.partition}@${offsets}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: string }): string {
  return `${topic}/${partition}@${offset}`
}
