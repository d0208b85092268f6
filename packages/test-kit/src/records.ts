/** Sends and reads records by plain kafkajs clients, so that a fault in the code under test cannot hide itself. */
import { eventually } from './eventually.ts'
import { testKafka, type TestKafka } from './test-kafka.ts'
import { partitionEnds } from './topics.ts'
import { uniqueName } from './unique-name.ts'

export type TestRecord = {
  topic: string
  key: string | Buffer | null
  value: string | Buffer | null
  headers?: Record<string, string | Buffer | (string | Buffer)[]>
  partition?: number
  /** ms since the epoch */
  timestamp?: number
}

export type ReadRecord = {
  topic: string
  partition: number
  offset: string
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, Buffer | string | null | (Buffer | string | null)[] | undefined>
  /** ms since the epoch, as Kafka says it */
  timestamp: string
}

/**
 * Sends the records in their order, each once, acknowledged by all in-sync replicas. Their topics and partitions must exist.
 */
export async function produce(records: TestRecord[], on: TestKafka = testKafka()): Promise<void> {
  // Idempotent: a request that is repeated because one partition refused it is no second time for the others.
  const producer = on.kafka.producer({ allowAutoTopicCreation: false, idempotent: true })
  try {
    // For its id it asks a broker that may have just begun, and nothing has been sent yet.
    await eventually(() => producer.connect(), { what: 'a producer id' })
    const topicMessages = Map.groupBy(records, record => record.topic)
    await producer.sendBatch({
      acks: -1,
      topicMessages: [...topicMessages].map(([topic, ofTopic]) => ({
        topic,
        messages: ofTopic.map(({ key, value, headers, partition, timestamp }) => ({
          key,
          value,
          ...(headers !== undefined && { headers }),
          ...(partition !== undefined && { partition }),
          ...(timestamp !== undefined && { timestamp: String(timestamp) }),
        })),
      })),
    })
  } finally {
    await producer.disconnect()
  }
}

export type ReadTopicOptions = {
  /** ends when this many records were read */
  count?: number
  /** ends when this is true of the records so far */
  until?: (records: ReadRecord[]) => boolean
  /** 60,000 by default */
  timeoutMs?: number
  /** other brokers than the run's stack */
  on?: TestKafka
}

/**
 * The records of a topic from its beginning, in each partition in the order of their offsets. Without `count` and
 * `until` it reads what the topic holds now.
 * @throws Error with what was read when `count` or `until` is not reached in time
 */
export async function readTopic(topic: string, options: ReadTopicOptions = {}): Promise<ReadRecord[]> {
  const on = options.on ?? testKafka()
  const timeoutMs = options.timeoutMs ?? 60_000
  const ends = await partitionEnds(topic, on)
  const missing = new Set(ends.filter(end => end.high !== end.low).map(end => end.partition))
  const highs = new Map(ends.map(end => [end.partition, BigInt(end.high)]))
  const { count, until } = options
  const readsWhatIsThere = count === undefined && until === undefined
  if (readsWhatIsThere && missing.size === 0) return []

  const records: ReadRecord[] = []
  const isComplete = () =>
    readsWhatIsThere
      ? missing.size === 0
      : (count === undefined || records.length >= count) && (until === undefined || until(records))

  const consumer = on.kafka.consumer({
    groupId: uniqueName('test-reader'),
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
  })
  const done = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    const last = records
      .slice(-10)
      .map(r => `  ${r.partition}/${r.offset} ${String(r.key)} ${String(r.value)}`)
    done.reject(
      new Error(
        `Read ${records.length} records of ${topic} in ${timeoutMs} ms; the last:\n${last.join('\n')}`,
      ),
    )
  }, timeoutMs)
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) {
          if (isComplete()) break
          records.push({
            topic,
            partition: batch.partition,
            offset: message.offset,
            key: message.key,
            value: message.value,
            headers: message.headers ?? {},
            timestamp: message.timestamp,
          })
        }
        // The last offset covers what has no record of its own: a transaction's markers, compacted records.
        if (BigInt(batch.lastOffset()) + 1n >= (highs.get(batch.partition) ?? 0n))
          missing.delete(batch.partition)
        if (isComplete()) done.resolve()
      },
    })
    await done.promise
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
  }
  return records
}
