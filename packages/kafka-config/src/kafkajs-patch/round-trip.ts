/** Messages through the encoder and the decoder of kafkajs, without a broker in between. */
import { vi } from 'vitest'
import type { Message } from 'kafkajs'
import { internal } from './kafkajs-under-test.ts'
import type { DecodedMessage } from './kafkajs-under-test.ts'
import { encodeFetchResponse } from './fetch-response.ts'
import type { FetchedPartition } from './fetch-response.ts'

const produceRequest = internal('protocol/requests/produce/v7/request')
const fetchResponse = internal('protocol/requests/fetch/v11/response')

const TOPIC = 'topic'
// transactional id, acks, timeout, count of topics, topic, count of partitions, partition, size
const RECORD_BATCH_AT = 2 + 2 + 4 + 4 + 2 + TOPIC.length + 4 + 4 + 4

/** The bytes of the record batch that `messages` are sent as. */
export async function encodeRecordBatch(messages: Message[], now = Date.now()): Promise<Buffer> {
  const clock = vi.spyOn(Date, 'now').mockReturnValue(now)
  try {
    const request = produceRequest({
      acks: -1,
      timeout: 1000,
      transactionalId: null,
      producerId: -1,
      producerEpoch: 0,
      compression: 0,
      topicData: [{ topic: TOPIC, partitions: [{ partition: 0, firstSequence: 0, messages }] }],
    })
    return Buffer.from((await request.encode()).buffer.subarray(RECORD_BATCH_AT))
  } finally {
    clock.mockRestore()
  }
}

/** What a consumer receives when `messages` are sent. */
export async function roundTrip(messages: Message[]): Promise<DecodedMessage[]> {
  const recordSet = await encodeRecordBatch(messages)
  return (await decodePartition({ recordSet, abortedTransactions: [] })).messages
}

/** The one partition of a fetch response, its messages decoded: by the stock package at once, by the patched one when asked to. */
export async function decodePartition(fetched: FetchedPartition) {
  const { responses } = await fetchResponse.decode(encodeFetchResponse(fetched))
  const partition = responses[0]!.partitions[0]!
  const decoded = (await partition.decodeMessages?.()) ?? { messages: partition.messages! }
  return { ...partition, ...decoded }
}
