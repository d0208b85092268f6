/**
 * How the records of a transaction are laid out in produce requests. Pure.
 *
 * A produce request holds one batch a partition (that is the protocol's rule), and a topic limits the bytes of a batch
 * (`max.message.bytes`). What does not fit goes into further requests, behind the first.
 */
import { partitionForKey } from './partitioner.ts'
import { recordSizeBytes } from './record-accumulator.ts'

/** A record of a transaction: its key decides its partition. */
export interface KeyedRecord {
  readonly topic: string
  readonly key: string | Buffer
  readonly value: string | Buffer | null
  readonly headers?: Record<string, string | Buffer>
}

/** What one produce request carries for one partition. */
export interface TransactionBatch {
  readonly topic: string
  readonly partition: number
  readonly records: KeyedRecord[]
  /** Where each of them stands among the transaction's records. */
  readonly indexes: number[]
  sizeBytes: number
}

export interface TopicLayout {
  readonly partitions: number
  /** A batch of several records stays below it; one record alone may exceed it, the broker then decides. */
  readonly batchLimitBytes: number
}

/**
 * Requests in the order in which they are to be sent; within a partition the records keep their order.
 * @param layoutOf of a topic among the records'
 */
export function layOutRequests(
  records: readonly KeyedRecord[],
  layoutOf: (topic: string) => TopicLayout,
): TransactionBatch[][] {
  const requests: TransactionBatch[][] = []
  const topics = new Map<string, { layout: TopicLayout; filling: (Filling | undefined)[] }>()
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    let topic = topics.get(record.topic)
    if (topic === undefined) {
      topic = { layout: layoutOf(record.topic), filling: [] }
      topics.set(record.topic, topic)
    }
    const partition = partitionForKey(record.key, topic.layout.partitions)
    const sizeBytes = recordSizeBytes(record)
    let filling = topic.filling[partition]
    if (filling === undefined || filling.batch.sizeBytes + sizeBytes > topic.layout.batchLimitBytes) {
      const request = filling === undefined ? 0 : filling.request + 1
      const batch = { topic: record.topic, partition, records: [], indexes: [], sizeBytes: 0 }
      filling = topic.filling[partition] = { batch, request }
      ;(requests[request] ??= []).push(batch)
    }
    filling.batch.records.push(record)
    filling.batch.indexes.push(index)
    filling.batch.sizeBytes += sizeBytes
  }
  return requests
}

interface Filling {
  readonly batch: TransactionBatch
  /** Which request the batch is part of. */
  readonly request: number
}
