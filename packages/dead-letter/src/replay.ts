/**
 * Sends the records of a dead-letter topic back to the topics that they came from, once what made them fail is repaired.
 * Guarantees: every dead letter that was there when it began is sent, in the order of its partition, to the partition that
 * it came from or, when its topic has fewer by now, where its key belongs, with its own bytes and a new timestamp; it ends, also
 * when the records fail again and come back as new dead letters.
 * Not guaranteed: once. The dead letters stay, so a second replay sends them again: consumers must recognise the `id` header.
 */
import { readPartitionEnds } from '@kafka-pattern/kafka-config'
import type { GatheringProducer, Kafka, KafkaRecord, OutgoingRecord } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { readDeadLetter, sendable } from './dead-letter.ts'
import type { Failure, ReadDeadLetter } from './dead-letter.ts'
import { rangeOf, readRange } from './read-range.ts'

/** On a replayed record: `topic/partition/offset` of its dead letter. */
export const replayedFromHeader = 'dlt.replayed-from'
/** On a replayed record: the timestamp that it had, ms since 1970. It gets a new one: with the old one its topic may delete it at once. */
export const replayedTimestampHeader = 'dlt.replayed-timestamp'

export interface ReplayOptions {
  kafka: Kafka
  /** With `maxRecordBytes: deadLetterMaxBytes`: one that takes less gives up at a record that is larger. */
  producer: GatheringProducer
  logger: Logger
  deadLetterTopic: string
  /** Only dead letters of this category. */
  category?: Failure['category']
  /** Say what would be sent, send nothing. */
  dryRun?: boolean
  signal?: AbortSignal
}

export interface ReplayReport {
  /** Dead letters that were read. */
  read: number
  /** Records that were sent, or in a dry run would have been. */
  replayed: number
  /** Of another category. */
  passedOver: number
  /** Not dead letters at all; each is logged. */
  unreadable: number
}

/**
 * @throws when there is no such topic, when a record cannot be sent (records before it, in its partition, were sent), or when
 * the topic cannot be read to the end offsets that it had at the beginning
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { kafka, producer, logger, deadLetterTopic, category, dryRun = false, signal } = options
  const report: ReplayReport = { read: 0, replayed: 0, passedOver: 0, unreadable: 0 }

  const partitions = await readPartitionEnds(kafka, [deadLetterTopic])
  if (partitions.length === 0) throw new Error(`there is no topic ${deadLetterTopic}`)

  const partitionCounts = new Map<string, number>()
  const partitionsOf = async (topic: string): Promise<number> => {
    const count = partitionCounts.get(topic) ?? (await readPartitionEnds(kafka, [topic])).length
    partitionCounts.set(topic, count)
    return count
  }

  await readRange(
    kafka,
    partitions.map(rangeOf),
    async ({ partition }, records) => {
      const outgoing: OutgoingRecord[] = []
      const places: object[] = []
      for (const record of records) {
        const place = { topic: deadLetterTopic, partition, offset: record.offset }
        report.read++
        const letter = readDeadLetter(record)
        if (!letter.ok) {
          report.unreadable++
          logger.warn({ ...place, reason: letter.reason }, 'not a dead letter, left where it is')
        } else if (category !== undefined && letter.failure.category !== category) {
          report.passedOver++
        } else {
          const from = `${deadLetterTopic}/${partition}/${record.offset}`
          const replayed = toReplayed(
            record,
            letter.original,
            from,
            await partitionsOf(letter.original.topic),
          )
          outgoing.push(replayed)
          places.push({ ...place, toTopic: replayed.topic, toPartition: replayed.partition })
        }
      }
      if (!dryRun && outgoing.length > 0) await producer.sendBatch(outgoing)
      const outcome = dryRun ? 'dead letter would be replayed' : 'dead letter replayed'
      for (const place of places) logger.info(place, outcome)
      report.replayed += outgoing.length
    },
    { logger, signal },
  )
  return report
}

function toReplayed(
  letter: KafkaRecord,
  original: Extract<ReadDeadLetter, { ok: true }>['original'],
  from: string,
  partitionCount: number,
): OutgoingRecord {
  return {
    topic: original.topic,
    // A topic may have been made anew with fewer: a letter that cannot be sent would stop every replay in its place.
    ...(original.partition < partitionCount && { partition: original.partition }),
    key: letter.key,
    value: letter.value,
    headers: {
      ...sendable(original.headers),
      [replayedFromHeader]: from,
      [replayedTimestampHeader]: original.timestamp,
    },
  }
}
