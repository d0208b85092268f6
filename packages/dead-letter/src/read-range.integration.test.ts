import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { createGroupConsumer } from '@kafka-pattern/kafka-config'
import type { GroupConsumer } from '@kafka-pattern/kafka-config'
import { createTopic, eventually, produce, testKafka, withAdmin } from '@kafka-pattern/test-kit'
import { pino } from 'pino'
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

  test('goes on behind what was handled when the group is joined anew in the middle of it', async () => {
    const topic = await tenRecords()
    const { kafka } = testKafka()
    const { logger, groupId } = loggedReader()
    const other = createSecondMember(topic, groupId)
    const values: string[] = []
    const reading = readRange(
      kafka,
      [{ topic, partition: 0, from: 0n, to: 20n }],
      async (_, records) => {
        if (values.length === 0) {
          void other().start({ onRecords: () => {} })
          await eventually(async () => assert.equal(await stateOf(groupId()), 'PreparingRebalance'), {
            what: 'the group to wait for the reader',
          })
        }
        values.push(...records.map(each => String(each.value)))
      },
      { logger, idleTimeoutMs: 60_000 },
    )
    await eventually(() => expect(groupId() !== '' && other().joined).toBe(true), {
      what: 'the second member',
    })
    await other().stop()
    await produce(Array.from({ length: 10 }, (_, index) => ({ topic, key: 'k', value: `v${index + 10}` })))
    await reading
    expect(values).toEqual(Array.from({ length: 20 }, (_, index) => `v${index}`))
  })

  test('does not count the time that handling takes', async () => {
    const topic = await tenRecords()
    const { kafka, logger } = testKafka()
    const idleTimeoutMs = 10_000
    const range = { topic, partition: 0, from: 0n, to: 10n }
    const slowly = () => setTimeout(idleTimeoutMs * 1.5)
    await expect(readRange(kafka, [range], slowly, { logger, idleTimeoutMs })).resolves.toBeUndefined()
  })
})

/** A log to look into: it names the group that a reader makes for itself. */
function loggedReader() {
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: line => void lines.push(line) })
  const groupId = () => /"groupId":"(dead-letter-reader-[^"]+)"/.exec(lines.join(''))?.[1] ?? ''
  return { logger, groupId }
}

/** Another member of the reader's group, made when it is first asked for. */
function createSecondMember(topic: string, groupId: () => string): () => GroupConsumer {
  const { kafka, logger } = testKafka()
  let member: GroupConsumer | undefined
  return () =>
    (member ??= createGroupConsumer(kafka, { groupId: groupId(), topics: [topic], from: 'latest', logger }))
}

async function stateOf(groupId: string): Promise<string | undefined> {
  const { groups } = await withAdmin(testKafka(), admin => admin.describeGroups([groupId]))
  return groups[0]?.state
}
