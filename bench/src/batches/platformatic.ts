import { measureSends } from '../measure-sends.ts'
import { platformaticProducer } from '../platformatic.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const producer = platformaticProducer()

await measureSends({ inFlight: 1, recordsPerSend: 1000 }, records =>
  producer.send({ messages: records.map(record => ({ topic, ...record })), acks: -1 }),
)
