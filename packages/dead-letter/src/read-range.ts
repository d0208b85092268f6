import { randomUUID } from 'node:crypto'
import { createGroupConsumer, deleteGroup } from '@kafka-pattern/kafka-config'
import type { FetchedRecords, Kafka, KafkaRecord, PartitionEnds } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'

/** Offsets `from` (included) up to `to` (excluded) of one partition. */
export interface OffsetRange {
  topic: string
  partition: number
  from: bigint
  to: bigint
}

/** All that the partition holds. */
export function rangeOf({ topic, partition, start, end }: PartitionEnds): OffsetRange {
  return { topic, partition, from: BigInt(start), to: BigInt(end) }
}

/** A part of a range was not delivered: its last records were deleted or are transaction markers, or no broker answers. */
export class RangeNotReadError extends Error {
  constructor(missing: string[], idleTimeoutMs: number) {
    super(`nothing came from ${missing.join(', ')} for ${idleTimeoutMs} ms`)
    this.name = 'RangeNotReadError'
  }
}

/** How long a join may take: a rebalance waits up to 60 s for its members, a broker that restarts takes seconds. */
const joinLimitMs = 90_000

/**
 * Reads ranges of offsets once, in offset order per partition; a reconnect or a rebalance in the middle goes on behind the
 * last records handled. Reads as a group of its own that commits nothing and is deleted afterwards.
 *
 * @param options.idleTimeoutMs how long nothing may come while it waits for records; handling does not count
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
  // What is left of each range: `from` moves behind what was handled.
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

  let idle: NodeJS.Timeout | undefined
  function expectNewsWithin(limitMs: number): void {
    clearTimeout(idle)
    idle = setTimeout(() => done.reject(new RangeNotReadError([...open.keys()], limitMs)), limitMs)
  }

  /** Settles, and never fails, when the records in hand are handled and their range has moved. */
  let taking: Promise<unknown> = Promise.resolve()

  async function take({ topic, partition, records }: FetchedRecords): Promise<void> {
    const name = nameOf({ topic, partition })
    const range = open.get(name)
    const last = records.at(-1)
    if (range === undefined || last === undefined) return
    const wanted = records.filter(({ offset }) => BigInt(offset) >= range.from && BigInt(offset) < range.to)
    clearTimeout(idle)
    if (wanted.length > 0) await handle(range, wanted)
    const from = BigInt(last.offset) + 1n
    if (from < range.to) {
      open.set(name, { ...range, from })
    } else {
      open.delete(name)
      consumer.pause({ topic, partition })
    }
    expectNewsWithin(idleTimeoutMs)
    if (open.size === 0) done.resolve()
  }

  try {
    expectNewsWithin(joinLimitMs)
    await Promise.race([
      done.promise,
      consumer.start({
        async onAssigned(partitions) {
          // It may have outlasted the limit of onRevoked: where to go on is not known before it ends.
          await taking
          for (const each of partitions) {
            const range = open.get(nameOf(each))
            if (range === undefined) consumer.pause(each)
            else consumer.seek(each, String(range.from))
          }
          expectNewsWithin(idleTimeoutMs)
        },
        onRecords(fetched) {
          const taken = take(fetched).catch(done.reject)
          taking = taken
          return taken
        },
        async onRevoked() {
          await taking
          expectNewsWithin(joinLimitMs)
        },
      }),
    ])
    await done.promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await consumer.stop()
    clearTimeout(idle)
    await deleteGroup(kafka, groupId, logger)
  }
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}[${partition}]`
}
