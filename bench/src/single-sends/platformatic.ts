import { measureSends } from '../measure-sends.ts'
import { platformaticProducer } from '../platformatic.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const producer = platformaticProducer()

await measureSends({ inFlight: 512, recordsPerSend: 1 }, records =>
  producer.send({ messages: records.map(record => ({ topic, ...record })), acks: -1 }),
)
