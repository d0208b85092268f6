import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const { parse } = internal('protocol/requests/produce/v7/response')

test('the error of one partition does not hide the outcome of the others', async () => {
  const response = {
    topics: [
      {
        topicName: 'user',
        partitions: [
          { partition: 0, errorCode: 0, baseOffset: '41' },
          { partition: 1, errorCode: 6, baseOffset: '-1' },
        ],
      },
    ],
  }

  await expect(parse(response)).rejects.toMatchObject({ type: 'NOT_LEADER_FOR_PARTITION', response })
})
