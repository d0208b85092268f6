import { connectStockProducer } from '../kafkajs-stock.ts'
import { measureSends } from '../measure-sends.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const producer = await connectStockProducer()

await measureSends({ inFlight: 1, recordsPerSend: 1000 }, messages => producer.send({ topic, messages }))
