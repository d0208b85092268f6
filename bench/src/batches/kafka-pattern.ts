import { connectGatheringProducer } from '../kafka-pattern.ts'
import { measureSends } from '../measure-sends.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const producer = await connectGatheringProducer()

await measureSends({ inFlight: 1, recordsPerSend: 1000 }, records =>
  producer.sendBatch(records.map(record => ({ topic, ...record }))),
)
