import { randomUUID } from 'node:crypto'
import { countConsumed } from '../measure-consuming.ts'
import { platformaticConsumer } from '../platformatic.ts'
import { readTask } from '../task.ts'

/** Reads the topic from its start as a stream and parses each value. */
export async function consumeWithPlatformatic(options: { maxBytes?: number }): Promise<void> {
  const consumed = countConsumed()
  const consumer = platformaticConsumer(randomUUID())
  const stream = await consumer.consume({ topics: [readTask().topic], mode: 'earliest', ...options })
  for await (const { value } of stream) {
    JSON.parse(value)
    consumed(1)
  }
}
