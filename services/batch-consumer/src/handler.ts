import { recordFields } from '@kafka-pattern/service-runtime'
import type { EntityCreated } from '@kafka-pattern/events'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'
import type { Logger } from '@kafka-pattern/service-runtime'

/** A record whose value was parsed and validated. */
export interface ReadableRecord {
  readonly record: KafkaRecord
  readonly value: EntityCreated
}

export interface HandlerContext {
  readonly topic: string
  readonly partition: number
  /** Counts the batches of this process from 1, over all partitions. */
  readonly batch: number
  /** 1, or more when a single record is tried again. */
  readonly attempt: number
  /** Aborted when the batch was abandoned: its partition is somebody else's now, whatever is still done here is done twice. */
  readonly signal: AbortSignal
}

/**
 * The work of the service: one function of a batch. It returns when the whole batch is stored where it belongs, or throws:
 * - `RecordFailed(index, cause)`: the records before `index` are done, that one failed, those after it were not begun;
 * - anything else: none of them counts as done, and they come again in smaller batches until the one that fails is alone.
 * So it must be atomic or idempotent: a crash, too, makes a batch come again.
 * A cause that no retry can cure is thrown as `NotRetryableError`.
 */
export type BatchHandler = (
  records: readonly ReadableRecord[],
  context: HandlerContext,
) => Promise<void> | void

/** Trying again cannot help: the record goes to the dead-letter topic at once. */
export class NotRetryableError extends Error {
  override readonly name: string = 'NotRetryableError'
}

/** The value is not JSON, not of the schema, or null: no handler ever sees the record. */
export class UnreadableValueError extends NotRetryableError {
  override readonly name = 'UnreadableValueError'
}

/** Says which record of the batch failed, so that it need not be searched for. */
export class RecordFailed extends Error {
  override readonly name = 'RecordFailed'
  /** Index into the records that the handler was given. */
  readonly index: number

  constructor(index: number, cause: unknown) {
    super(`record ${index} of the batch failed`, { cause })
    this.index = index
  }
}

/** The default handler prints: one line per record at level info, nothing formatted above it. Replace it with your own. */
export function printRecords(logger: Logger): BatchHandler {
  return (records, { topic, partition, batch, attempt }) => {
    if (!logger.isLevelEnabled('info')) return
    for (const { record } of records) {
      const fields = recordFields({ topic, partition, ...record })
      logger.info({ ...fields, batch, attempts: attempt }, 'record processed')
    }
  }
}
