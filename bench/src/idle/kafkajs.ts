import { randomUUID } from 'node:crypto'
import { connectStockProducer, stockKafka } from '../kafkajs-stock.ts'
import { readTask } from '../task.ts'
import { measureIdle } from './measure-idle.ts'

const { topic } = readTask()
const producer = await connectStockProducer()
await producer.send({ topic, messages: [{ value: 'x' }] })
const consumer = stockKafka().consumer({ groupId: randomUUID() })
await consumer.connect()
await consumer.subscribe({ topic })
await consumer.run({ eachMessage: () => Promise.resolve() })

await measureIdle()
