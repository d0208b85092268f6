import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { readWholeTopics } from '../dead-letters/read-topic.ts'
import { done, failed, print } from '../terminal.ts'
import type { DirectRecord } from './pubsub.ts'
import { formatPlace, type Journey } from './record-journeys.ts'

/** Reads the demo's dead letters back from their topics. True if each is there with the bytes and headers it was sent with. */
export async function checkDeadLetters(
  kafka: Kafka,
  logger: Logger,
  sent: Map<Journey, DirectRecord>,
): Promise<boolean> {
  const deadLettered = [...sent].filter(([journey]) => journey.deadLetter !== null)
  const topics = [...new Set(deadLettered.map(([journey]) => journey.deadLetter!.topic))]
  const stored = await readWholeTopics(kafka, logger, topics)
  let allRight = true
  for (const [journey, original] of deadLettered) {
    const place = journey.deadLetter!
    const found = stored.find(
      ({ topic, partition, record }) =>
        formatPlace({ topic, partition, offset: record.offset }) === formatPlace(place),
    )
    const problems = found === undefined ? ['it is not there'] : differences(original, journey, found.record)
    if (problems.length === 0) {
      print(
        `  ${done} read back from ${formatPlace(place)}: ${journey.label}, key, value and headers as they were sent`,
      )
    } else {
      allRight = false
      print(`  ${failed} ${formatPlace(place)}, ${journey.label}: ${problems.join('; ')}`)
    }
  }
  return allRight
}

function differences(
  original: DirectRecord,
  journey: Journey,
  stored: { key: Buffer | null; value: Buffer | null; headers?: Record<string, unknown> },
): string[] {
  const place = journey.place!
  const expected: Record<string, string> = {
    ...original.headers,
    'dlt.topic': place.topic,
    'dlt.partition': String(place.partition),
    'dlt.offset': place.offset,
    'dlt.category': 'not retryable',
  }
  const problems: string[] = []
  if (stored.key?.toString() !== original.key) problems.push('its key was changed')
  if (stored.value?.toString() !== original.value) problems.push('its value was changed')
  for (const [name, value] of Object.entries(expected)) {
    const actual = stored.headers?.[name]
    const text = Buffer.isBuffer(actual) || typeof actual === 'string' ? actual.toString() : 'missing'
    if (text !== value) problems.push(`header ${name} is ${text}, not ${value}`)
  }
  return problems
}
