import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createGroupConsumer } from './group-consumer.ts'
import { createKafka } from './kafka.ts'

const logger = pino({ level: 'silent' })
const kafka = createKafka(
  { KAFKA_BROKERS: ['127.0.0.1:1'], KAFKA_CLUSTER_NAME: 'test', KAFKA_TLS: false },
  logger,
)

test('options that kafkajs refuses fail the start, instead of keeping it waiting', async () => {
  const consumer = createGroupConsumer(kafka, {
    groupId: 'group',
    topics: ['user'],
    from: 'earliest',
    logger,
    sessionTimeoutMs: 0,
  })
  await expect(consumer.start({ onRecords() {} })).rejects.toThrow('must be lower than sessionTimeout')
  await consumer.stop()
})
