import type { OffsetRange } from '@kafka-pattern/dead-letter'
import type { FlowEvent } from '../../flow/flow-event.ts'
import { formatPlace } from '../pubsub/record-journeys.ts'

export type HandledRecords = {
  apply(event: FlowEvent): void
  /** The places in these ranges, as "user/2@17", that no event has told of. */
  missingOf(written: OffsetRange[]): string[]
}

/** Which records a consumer has processed or dead-lettered: pure bookkeeping over what its log says. */
export function createHandledRecords(): HandledRecords {
  const handled = new Set<string>()
  return {
    apply(event) {
      if (event.msg === 'record processed' || event.msg === 'record dead-lettered')
        handled.add(formatPlace(event))
    },
    missingOf: written => written.flatMap(placesIn).filter(place => !handled.has(place)),
  }
}

/** Every offset is a record's: nobody writes to these topics in transactions, and they are not compacted. */
function placesIn({ topic, partition, from, to }: OffsetRange): string[] {
  return Array.from({ length: Number(to - from) }, (_, i) =>
    formatPlace({ topic, partition, offset: String(from + BigInt(i)) }),
  )
}
