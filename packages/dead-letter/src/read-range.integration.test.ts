import { createTopic, produce, testKafka } from '@kafka-pattern/test-kit'
import { describe, expect, test } from 'vitest'
import { RangeNotReadError, readRange } from './read-range.ts'

/** A topic of one partition with the records `v0` up to `v9`. */
async function tenRecords(): Promise<string> {
  const topic = await createTopic({ prefix: 'range' })
  await produce(Array.from({ length: 10 }, (_, index) => ({ topic, key: 'k', value: `v${index}` })))
  return topic
}

describe('readRange', () => {
  test('delivers the range and nothing else, although more lies before and behind', async () => {
    const topic = await tenRecords()
    const { kafka, logger } = testKafka()
    const values: string[] = []
    const range = { topic, partition: 0, from: 2n, to: 5n }
    await readRange(
      kafka,
      [range],
      (_, records) => void values.push(...records.map(each => String(each.value))),
      {
        logger,
      },
    )
    expect(values).toEqual(['v2', 'v3', 'v4'])
  })

  test('says what did not come instead of waiting for ever', async () => {
    const topic = await tenRecords()
    const { kafka, logger } = testKafka()
    const range = { topic, partition: 0, from: 0n, to: 11n }
    const reading = readRange(kafka, [range], () => {}, { logger, idleTimeoutMs: 2_000 })
    await expect(reading).rejects.toThrow(new RangeNotReadError([`${topic}[0]`], 2_000))
  })

  test('ends with the error of whoever handles the records', async () => {
    const topic = await tenRecords()
    const { kafka, logger } = testKafka()
    const range = { topic, partition: 0, from: 0n, to: 10n }
    const reading = readRange(kafka, [range], () => Promise.reject(new Error('cannot send')), { logger })
    await expect(reading).rejects.toThrow('cannot send')
  })

  test('ends when its signal is aborted', async () => {
    const topic = await tenRecords()
    const { kafka, logger } = testKafka()
    const stopping = new AbortController()
    const reading = readRange(
      kafka,
      [{ topic, partition: 0, from: 0n, to: 11n }],
      () => stopping.abort(new Error('enough')),
      { logger, signal: stopping.signal },
    )
    await expect(reading).rejects.toThrow('enough')
  })
})
