import { readDeadLetter, readRange, type ConsumedRecord } from '@kafka-pattern/dead-letter'
import type { Kafka } from '@kafka-pattern/kafka-config'
import type { Logger } from 'pino'
import { done, failed, print } from '../../terminal.ts'
import type { DirectRecord } from './demo.ts'
import { formatPlace, type Journey } from './record-journeys.ts'

/** Reads the demo's dead letters back from their topics. True if each is there with the bytes and headers it was sent with. */
export async function checkDeadLetters(
  kafka: Kafka,
  logger: Logger,
  sent: Map<Journey, DirectRecord>,
): Promise<boolean> {
  const problems = await Promise.all(
    [...sent].map(async ([journey, record]) => {
      const place = journey.deadLetter
      if (place === null) return []
      const from = BigInt(place.offset)
      const found: string[] = []
      await readRange(
        kafka,
        [{ topic: place.topic, partition: place.partition, from, to: from + 1n }],
        (_range, [stored]) => {
          const letter = readDeadLetter(stored!)
          if (letter.ok) found.push(...differences(letter.original, record, journey))
          else found.push(letter.reason)
        },
        { logger },
      )
      const subject = `read back from ${formatPlace(place)}: ${journey.label}`
      if (found.length === 0) print(`  ${done} ${subject}, with the key, value and headers it was sent with`)
      else print(`  ${failed} ${subject}: ${found.join('; ')}`)
      return found
    }),
  )
  return problems.flat().length === 0
}

function differences(stored: ConsumedRecord, sent: DirectRecord, journey: Journey): string[] {
  const found: string[] = []
  if (formatPlace(stored) !== formatPlace(journey.place!))
    found.push(`it says it came from ${formatPlace(stored)}`)
  if (stored.key?.toString() !== sent.key) found.push('its key was changed')
  if (stored.value?.toString() !== sent.value) found.push('its value was changed')
  for (const [name, value] of Object.entries(sent.headers)) {
    // Of a header that occurs once, kafkajs gives the one value; an array would be a difference.
    const kept = stored.headers?.[name]
    if (kept?.toString() !== value)
      found.push(`header ${name} is ${kept?.toString() ?? 'missing'}, not ${value}`)
  }
  return found
}
