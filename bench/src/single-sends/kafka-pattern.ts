import { connectGatheringProducer } from '../kafka-pattern.ts'
import { measureSends } from '../measure-sends.ts'
import { readTask } from '../task.ts'

const { topic } = readTask()
const producer = await connectGatheringProducer()

await measureSends({ inFlight: 512, recordsPerSend: 1 }, ([record]) => producer.send({ topic, ...record! }))
