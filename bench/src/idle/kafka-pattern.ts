import { randomUUID } from 'node:crypto'
import { createGroupConsumer } from '../../../packages/kafka-config/src/index.ts'
import { connectGatheringProducer, ownKafka } from '../kafka-pattern.ts'
import { readTask } from '../task.ts'
import { measureIdle } from './measure-idle.ts'

const { topic } = readTask()
const producer = await connectGatheringProducer()
await producer.send({ topic, key: null, value: 'x' })
const { kafka, logger } = ownKafka()
const consumer = createGroupConsumer(kafka, {
  groupId: randomUUID(),
  topics: [topic],
  from: 'latest',
  logger,
})
await consumer.start({ onRecords: () => {} })

await measureIdle()
