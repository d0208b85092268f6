import { readPartitionEnds, withAdmin } from '@kafka-pattern/kafka-config'
import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { isDeadLetterTopic, readDeadLetter } from './dead-letter.ts'
import type { Failure } from './dead-letter.ts'
import { RangeNotReadError, rangeOf, readRange } from './read-range.ts'

/** What lies in a dead-letter topic. */
export interface DeadLetterSummary {
  topic: string
  count: number
  /** The dead letter whose record failed last; null if the topic is empty or its last records are no dead letters. */
  newest: {
    /** Where the dead letter lies. */
    partition: number
    offset: string
    /** Where its record lies. */
    original: { topic: string; partition: number; offset: string }
    failure: Failure
  } | null
}

/** Dead-letter topics, by name; one that does not exist is left out. Reads the last record of each partition, however many there are. */
export async function listDeadLetters({
  kafka,
  logger,
  topics: wanted,
  signal,
}: {
  kafka: Kafka
  logger: Logger
  /** Default: all dead-letter topics of the cluster. */
  topics?: string[]
  signal?: AbortSignal
}): Promise<DeadLetterSummary[]> {
  const topics = wanted ?? (await withAdmin(kafka, admin => admin.listTopics())).filter(isDeadLetterTopic)
  const ranges = (await readPartitionEnds(kafka, topics)).map(rangeOf)

  const summaries = new Map<string, DeadLetterSummary>()
  for (const { topic, from, to } of ranges) {
    const count = (summaries.get(topic)?.count ?? 0) + Number(to - from)
    summaries.set(topic, { topic, count, newest: null })
  }

  const lastOfEach = ranges
    .filter(({ from, to }) => from < to)
    .map(range => ({ ...range, from: range.to - 1n }))
  try {
    await readRange(
      kafka,
      lastOfEach,
      ({ topic, partition }, records) => {
        const summary = summaries.get(topic)
        for (const record of records) {
          const letter = readDeadLetter(record)
          if (!letter.ok || summary === undefined) continue
          const { original, failure } = letter
          if (summary.newest !== null && summary.newest.failure.lastFailureAt > failure.lastFailureAt)
            continue
          summary.newest = {
            partition,
            offset: record.offset,
            original: { topic: original.topic, partition: original.partition, offset: original.offset },
            failure,
          }
        }
      },
      { logger, signal },
    )
  } catch (error) {
    // Counts are right all the same; a last record that was deleted meanwhile is no reason to show nothing.
    if (!(error instanceof RangeNotReadError)) throw error
    logger.warn({ reason: error.message }, 'the newest dead letter of some partitions could not be read')
  }
  return [...summaries.values()]
}
