import { colors } from '../terminal.ts'
import type { FlowEvent } from './flow-event.ts'

/** One step of a record in one line. */
export function describeFlowEvent(event: FlowEvent): string {
  switch (event.msg) {
    case 'record acknowledged':
      return `${placeOf(event)} acknowledged in ${Math.round(event.durationMs)} ms`
    case 'record seen':
      return `${placeOf(event)} seen: ${event.value}`
    case 'record processed':
      return `${placeOf(event)} processed in batch ${event.batch}${event.attempts > 1 ? `, attempt ${event.attempts}` : ''}`
    case 'record retried':
      return `${placeOf(event)} ${colors.yellow(`attempt ${event.attempt} in ${event.delayMs} ms: ${event.reason}`)}`
    case 'record dead-lettered': {
      const place = `${event.deadLetterTopic}/${event.deadLetterPartition}@${event.deadLetterOffset}`
      return `${placeOf(event)} ${colors.red(`dead-lettered to ${place} (${event.category}): ${event.reason}`)}`
    }
    case 'batch committed':
      break
  }
  const last = String(BigInt(event.nextOffset) - 1n)
  const offsets = last === event.firstOffset ? last : `${event.firstOffset}-${last}`
  const records = event.records === 1 ? '1 record' : `${event.records} records`
  return `${event.topic}/${event.partition}@${offsets} ${colors.green(`batch ${event.batch} committed, ${records}`)}`
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: string }): string {
  return `${topic}/${partition}@${offset}`
}
