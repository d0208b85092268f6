import { randomUUID } from 'node:crypto'
import { platformaticConsumer, platformaticProducer } from '../platformatic.ts'
import { readTask } from '../task.ts'
import { measureIdle } from './measure-idle.ts'

const { topic } = readTask()
const producer = platformaticProducer()
await producer.send({ messages: [{ topic, value: 'x' }], acks: -1 })
const stream = await platformaticConsumer(randomUUID()).consume({ topics: [topic], mode: 'latest' })
stream.on('data', () => {})

await measureIdle()
