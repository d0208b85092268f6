import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const { parse } = internal('protocol/requests/metadata/v6/response')
const UNKNOWN_TOPIC_OR_PARTITION = 3

test('the error of one of several topics names it', async () => {
  const response = {
    topicMetadata: [
      { topicErrorCode: 0, topic: 'user', partitionMetadata: [] },
      { topicErrorCode: UNKNOWN_TOPIC_OR_PARTITION, topic: 'family', partitionMetadata: [] },
    ],
  }
  await expect(parse(response)).rejects.toMatchObject({
    type: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: expect.stringMatching(/: family$/),
  })
})
