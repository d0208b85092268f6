import { randomUUID } from 'node:crypto'
import { connectStockProducer } from '../kafkajs-stock.ts'
import { readTask } from '../task.ts'
import { serveCreate } from './serve-create.ts'

const { topic } = readTask()
const producer = await connectStockProducer()

serveCreate(async body => {
  const id = randomUUID()
  await producer.send({
    topic,
    messages: [{ key: id, value: JSON.stringify({ id, event: 'create', ...body }) }],
  })
  return { id, event: 'create', ...body }
})
