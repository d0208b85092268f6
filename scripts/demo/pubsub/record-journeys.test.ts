import { expect, test } from 'vitest'
import type { RecordStep } from '../../flow/flow-event.ts'
import { createJourneys, missingSteps, type Step } from './record-journeys.ts'

const place = { topic: 'user', partition: 1, offset: '7' }
const seen: RecordStep = { msg: 'record seen', ...place, key: 'k', value: 'v' }
const processed: RecordStep = { msg: 'record processed', ...place, batch: 3, attempts: 1 }
const retried: RecordStep = { msg: 'record retried', ...place, attempt: 2, delayMs: 50, reason: 'timeout' }
const deadLettered: RecordStep = {
  msg: 'record dead-lettered',
  ...place,
  category: 'not retryable',
  reason: 'rejected',
  deadLetterTopic: 'user.group.dlt',
  deadLetterPartition: 1,
  deadLetterOffset: '0',
}
const committed = (firstOffset: string, nextOffset: string, topic = 'user'): RecordStep => ({
  msg: 'batch committed',
  topic,
  partition: 1,
  batch: 3,
  records: 5,
  firstOffset,
  nextOffset,
})

function follow() {
  const steps: Step[] = []
  const journeys = createJourneys(step => steps.push(step))
  return { journeys, steps }
}

test('a record that was seen, processed and committed has arrived', () => {
  const { journeys, steps } = follow()
  const journey = journeys.send('Ada', 'user', 'processed', 100)
  expect(missingSteps(journey)).toEqual(['acknowledged', 'seen', 'processed', 'committed'])
  journeys.acknowledge(journey, place, 104)
  journeys.apply(seen, 110, 'a log')
  journeys.apply(processed, 120, 'a log')
  expect(missingSteps(journey)).toEqual(['committed'])
  journeys.apply(committed('5', '10'), 130, 'a log')
  expect(missingSteps(journey)).toEqual([])
  expect(steps).toEqual(['acknowledged', 'seen', 'processed', 'committed'])
  expect(journey).toMatchObject({
    acknowledgedAt: 104,
    seenAt: 110,
    processedAt: 120,
    committedAt: 130,
    batch: 3,
  })
})

test('lines that come before the place of the record is known are not lost', () => {
  const { journeys } = follow()
  const journey = journeys.send('Ada', 'user', 'processed', 100)
  for (const event of [seen, processed, committed('7', '8')]) journeys.apply(event, 103, 'a log')
  journeys.acknowledge(journey, place, 104)
  expect(missingSteps(journey)).toEqual([])
  expect(journey.seenAt).toBe(103)
})

test.each([
  ['before it', '0', '7'],
  ['behind it', '8', '12'],
])('a commit of offsets %s does not count', (_where, first, next) => {
  const { journeys } = follow()
  const journey = journeys.send('Ada', 'user', 'processed', 100)
  journeys.acknowledge(journey, place, 104)
  journeys.apply(committed(first, next), 110, 'a log')
  expect(journey.committedAt).toBeNull()
})

test('records of others at other places change nothing', () => {
  const { journeys, steps } = follow()
  const journey = journeys.send('Ada', 'user', 'processed', 100)
  journeys.acknowledge(journey, place, 104)
  journeys.apply({ ...seen, offset: '8' }, 110, 'a log')
  journeys.apply({ ...processed, partition: 0 }, 110, 'a log')
  journeys.apply(committed('7', '8', 'family'), 110, 'a log')
  expect(steps).toEqual(['acknowledged'])
})

test('a record that should be retried has not arrived without a retry', () => {
  const { journeys } = follow()
  const journey = journeys.send('Ada', 'user', 'retried', 100)
  journeys.acknowledge(journey, place, 104)
  for (const event of [seen, processed, committed('7', '8')]) journeys.apply(event, 110, 'a log')
  expect(missingSteps(journey)).toEqual(['retried'])
  journeys.apply(retried, 111, 'a log')
  expect(missingSteps(journey)).toEqual([])
})

test('a record that should be dead-lettered has not arrived by being processed', () => {
  const { journeys } = follow()
  const journey = journeys.send('Ada', 'user', 'dead-lettered', 100)
  journeys.acknowledge(journey, place, 104)
  for (const event of [seen, processed, committed('7', '8')]) journeys.apply(event, 110, 'a log')
  expect(missingSteps(journey)).toEqual(['dead-lettered'])
  journeys.apply(deadLettered, 112, 'a log')
  expect(missingSteps(journey)).toEqual([])
  expect(journey.deadLetter).toEqual({
    topic: 'user.group.dlt',
    partition: 1,
    offset: '0',
    category: 'not retryable',
    reason: 'rejected',
  })
})

test('a record that each of two should see was seen when both have', () => {
  const journeys = createJourneys(() => {}, 2)
  const journey = journeys.send('Ada', 'user', 'processed', 100)
  journeys.acknowledge(journey, place, 104)
  journeys.apply(seen, 110, 'simple-consumer')
  journeys.apply(seen, 111, 'simple-consumer')
  expect(missingSteps(journey)).toContain('seen')
  journeys.apply(seen, 112, 'simple-consumer-2')
  expect(missingSteps(journey)).not.toContain('seen')
  expect(journey.seenAt).toBe(112)
})
