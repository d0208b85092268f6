import { notRetryable } from '@kafka-pattern/dead-letter'
import { EntityCreated, isPlainEntityCreated, parseRecordValue } from '@kafka-pattern/events'
import { AbortError, RetriesExhaustedError, retry } from '@kafka-pattern/retry'
import { NotRetryableError, RecordFailed, UnreadableValueError } from './handler.ts'
import type { Batch } from './batch-collector.ts'
import type { BatchReport } from './batch-report.ts'
import type { BatchHandler, ReadableRecord } from './handler.ts'
import type { DeadLetters, RecordFailure } from '@kafka-pattern/dead-letter'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'
import type { RetryPolicy } from '@kafka-pattern/retry'

/** How a batch ended. There is no "failed": a record is handled, or dead-lettered, or still open for who reads on. */
export interface BatchOutcome {
  /** Interrupted: the partition is being given up, and not every record was seen through. */
  readonly state: 'done' | 'interrupted'
  /** Every record before this offset was handled, or its dead letter acknowledged: what may be committed. */
  readonly nextOffset: string
}

/** The two steps of giving partitions up. */
export interface Stop {
  /** Finish the call that runs, but wait for nothing any more. */
  readonly draining: AbortSignal
  /** Begin nothing more: the partition may have its next owner already. */
  readonly abandoned: AbortSignal
}

/** Which batch of which partition. */
export interface BatchPlace {
  readonly topic: string
  readonly partition: number
  readonly batch: number
}

export interface BatchTools {
  readonly handle: BatchHandler
  readonly deadLetters: DeadLetters<BatchPlace>
  readonly retryPolicy: RetryPolicy
  readonly report: BatchReport
}

/** Indexes of records, the last one not included. */
interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Sees every record of a batch through. Those that can be read go to the handler together; when it throws, they are halved until the
 * record that fails is alone, and the left half is wholly done before the right one begins. So no record overtakes another of
 * its partition, not even a retried one. Unreadable ones go to the dead-letter topic in their turn: its records have the order that
 * they had, too.
 */
export async function processBatch(
  batch: Batch,
  place: BatchPlace,
  stop: Stop,
  tools: BatchTools,
): Promise<BatchOutcome> {
  const { readable, unreadable } = readValues(batch)
  /** Gives up the unreadable ones before a readable one. Returns where it was interrupted, if it was. */
  const giveUpBefore = async (index: number): Promise<string | null> => {
    const end = unreadable.findIndex(({ before }) => before > index)
    const due = unreadable.splice(0, end === -1 ? unreadable.length : end)
    const outcomes = await Promise.all(
      due.map(({ record, failure }) => tools.deadLetters.publish(place, record, failure, stop.draining)),
    )
    return due[outcomes.indexOf('interrupted')]?.record.offset ?? null
  }

  const open: Range[] = readable.length === 0 ? [] : [{ from: 0, to: readable.length }]
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const first = readable[range.from]!
    const interruptedAt = await giveUpBefore(range.from)
    if (interruptedAt !== null) return { state: 'interrupted', nextOffset: interruptedAt }
    if (stop.abandoned.aborted) return { state: 'interrupted', nextOffset: first.record.offset }
    if (range.to - range.from > 1) {
      open.push(...(await processTogether(readable, range, place, stop, tools)).toReversed())
    } else if ((await processAlone(first, place, stop, tools)) === 'interrupted') {
      return { state: 'interrupted', nextOffset: first.record.offset }
    }
  }
  const interruptedAt = await giveUpBefore(readable.length)
  if (interruptedAt !== null) return { state: 'interrupted', nextOffset: interruptedAt }
  return { state: 'done', nextOffset: batch.nextOffset }
}

interface UnreadableRecord {
  readonly record: KafkaRecord
  readonly failure: RecordFailure
  /** Index of the first readable record behind it. */
  readonly before: number
}

function readValues(batch: Batch): { readable: ReadableRecord[]; unreadable: UnreadableRecord[] } {
  const readable: ReadableRecord[] = []
  const unreadable: UnreadableRecord[] = []
  for (const record of batch.records) {
    const parsed = parseRecordValue(EntityCreated, record.value, isPlainEntityCreated)
    if (parsed.ok) {
      readable.push({ record, value: parsed.value })
    } else {
      const failure = notRetryable(new UnreadableValueError(parsed.reason))
      unreadable.push({ record, failure, before: readable.length })
    }
  }
  return { readable, unreadable }
}

/** One call of the handler for the whole range. Returns the ranges that are still open after it, in order. */
async function processTogether(
  readable: readonly ReadableRecord[],
  { from, to }: Range,
  place: BatchPlace,
  stop: Stop,
  tools: BatchTools,
): Promise<Range[]> {
  const records = to - from === readable.length ? readable : readable.slice(from, to)
  try {
    await tools.handle(records, { ...place, attempt: 1, signal: stop.abandoned })
    tools.report.processed(place, records.length)
    return []
  } catch (error) {
    const open = openAfter(error, { from, to })
    tools.report.isolating(place, records, error)
    tools.report.processed(place, (open[0]?.from ?? to) - from)
    return open
  }
}

/** What a failed call leaves open: from the record on that the handler named, else the two halves. Pure. */
export function openAfter(error: unknown, { from, to }: Range): Range[] {
  if (
    error instanceof RecordFailed &&
    Number.isInteger(error.index) &&
    error.index >= 0 &&
    error.index < to - from
  ) {
    const failed = from + error.index
    const itself = { from: failed, to: failed + 1 }
    return failed + 1 < to ? [itself, { from: failed + 1, to }] : [itself]
  }
  const middle = (from + to) >>> 1
  return [
    { from, to: middle },
    { from: middle, to },
  ]
}

/** One record by itself: tried as often as the policy says, then dead-lettered. */
async function processAlone(
  item: ReadableRecord,
  place: BatchPlace,
  stop: Stop,
  tools: BatchTools,
): Promise<'done' | 'interrupted'> {
  let attempts = 0
  let firstFailureAt: Date | null = null
  try {
    await retry(
      async attempt => {
        attempts = attempt
        try {
          await tools.handle([item], { ...place, attempt, signal: stop.abandoned })
        } catch (error) {
          firstFailureAt ??= new Date()
          throw error instanceof RecordFailed ? error.cause : error
        }
      },
      {
        policy: tools.retryPolicy,
        isRetryable: error => !(error instanceof NotRetryableError),
        signal: stop.draining,
        onRetry: info => tools.report.retrying(place, item.record, info),
      },
    )
    tools.report.processed(place, 1)
    return 'done'
  } catch (error) {
    if (error instanceof AbortError) return 'interrupted'
    const why =
      error instanceof RetriesExhaustedError
        ? ({ category: 'retries exhausted', error: error.cause } as const)
        : ({ category: 'not retryable', error } as const)
    const lastFailureAt = new Date()
    const failure = { ...why, attempts, firstFailureAt: firstFailureAt ?? lastFailureAt, lastFailureAt }
    return tools.deadLetters.publish(place, item.record, failure, stop.draining)
  }
}
