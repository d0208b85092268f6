import { randomUUID } from 'node:crypto'
import { Partitioners } from 'kafkajs'
import { stockKafka } from '../kafkajs-stock.ts'
import { readTask } from '../task.ts'
import { serveCreate } from './serve-create.ts'

const kafka = stockKafka()

// What the original study repository did: connect, send and disconnect in every request.
serveCreate(async body => {
  const id = randomUUID()
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({
    topic: readTask().topic,
    messages: [{ key: id, value: JSON.stringify({ id, event: 'create', ...body }) }],
  })
  await producer.disconnect()
  return { id, event: 'create', ...body }
})
