import { randomUUID } from 'node:crypto'
import { createGroupConsumer, withAdmin } from '@kafka-pattern/kafka-config'
import type { FetchedRecords, Kafka, KafkaRecord } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'

/** Offsets `from` (included) up to `to` (excluded) of one partition. */
export interface OffsetRange {
  topic: string
  partition: number
  from: bigint
  to: bigint
}

/** A part of a range was not delivered: its last records were deleted or are transaction markers, or no broker answers. */
export class RangeNotReadError extends Error {
  constructor(missing: string[], idleTimeoutMs: number) {
    super(`nothing came from ${missing.join(', ')} for ${idleTimeoutMs} ms`)
    this.name = 'RangeNotReadError'
  }
}

/**
 * Reads ranges of offsets once, in offset order per partition. Reads as a group of its own that commits nothing and is
 * deleted afterwards.
 *
 * @throws RangeNotReadError when nothing comes any more and the end is not reached; what `handle` throws; AbortError's reason
 */
export async function readRange(
  kafka: Kafka,
  ranges: readonly OffsetRange[],
  handle: (partition: OffsetRange, records: KafkaRecord[]) => Promise<void> | void,
  {
    logger,
    signal,
    idleTimeoutMs = 10_000,
  }: { logger: Logger; signal?: AbortSignal | undefined; idleTimeoutMs?: number },
): Promise<void> {
  const open = new Map(ranges.filter(({ from, to }) => from < to).map(range => [nameOf(range), range]))
  if (open.size === 0) return
  const done = Promise.withResolvers<void>()
  const groupId = `dead-letter-reader-${randomUUID()}`
  const topics = [...new Set(ranges.map(({ topic }) => topic))]
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics,
    from: 'earliest',
    positions: 'in memory',
    logger,
    maxWaitMs: 100,
  })
  consumer.onFatal(done.reject)
  const onAbort = (): void => done.reject(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', onAbort, { once: true })
  const idle = setTimeout(
    () => done.reject(new RangeNotReadError([...open.keys()], idleTimeoutMs)),
    idleTimeoutMs,
  )

  async function onRecords({ topic, partition, records }: FetchedRecords): Promise<void> {
    const name = nameOf({ topic, partition })
    const range = open.get(name)
    if (range === undefined) return
    const last = records.at(-1)
    const wanted = records.filter(({ offset }) => BigInt(offset) >= range.from && BigInt(offset) < range.to)
    try {
      if (wanted.length > 0) await handle(range, wanted)
    } catch (error) {
      done.reject(error)
      return
    }
    idle.refresh()
    if (last !== undefined && BigInt(last.offset) >= range.to - 1n) {
      open.delete(name)
      consumer.pause({ topic, partition })
    }
    if (open.size === 0) done.resolve()
  }

  try {
    await Promise.race([
      done.promise,
      consumer.start({
        onAssigned: partitions => {
          for (const each of partitions) {
            const range = open.get(nameOf(each))
            if (range === undefined) consumer.pause(each)
            else consumer.seek(each, String(range.from))
          }
        },
        onRecords,
      }),
    ])
    await done.promise
  } finally {
    clearTimeout(idle)
    signal?.removeEventListener('abort', onAbort)
    await consumer.stop()
    await deleteGroup(kafka, groupId, logger)
  }
}

async function deleteGroup(kafka: Kafka, groupId: string, logger: Logger): Promise<void> {
  try {
    await withAdmin(kafka, admin => admin.deleteGroups([groupId]))
  } catch (error) {
    // An empty group without commits goes away by itself; the work is done, so this is no reason to fail.
    logger.debug({ err: error, groupId }, 'the reader’s group was not deleted')
  }
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}[${partition}]`
}
