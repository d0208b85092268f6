import { randomUUID } from 'node:crypto'
import { stockKafka } from '../kafkajs-stock.ts'
import { countConsumed } from '../measure-consuming.ts'
import { readTask } from '../task.ts'

const consumed = countConsumed()
const consumer = stockKafka().consumer({ groupId: randomUUID() })
await consumer.connect()
await consumer.subscribe({ topic: readTask().topic, fromBeginning: true })
await consumer.run({
  eachMessage: () => {
    consumed(1)
    return Promise.resolve()
  },
})
