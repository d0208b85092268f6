import { createGatheringProducer, ensureTopics } from '@kafka-pattern/kafka-config'
import type { GatheringProducer, OutgoingRecord } from '@kafka-pattern/kafka-config'
import {
  createTopic,
  deleteTopic,
  eventually,
  produce,
  readTopic,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import type { ReadRecord } from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDeadLetterPublisher } from './dead-letter-publisher.ts'
import { deadLetterMaxBytes, deadLetterTopicSpec } from './dead-letter-topics.ts'
import { deadLetterTopic, readDeadLetter, toDeadLetter } from './dead-letter.ts'
import type { ConsumedRecord, Failure } from './dead-letter.ts'
import { listDeadLetters } from './list-dead-letters.ts'
import { replay, replayedFromHeader, replayedTimestampHeader } from './replay.ts'

const failure: Failure = {
  category: 'not retryable',
  errorClass: 'SyntaxError',
  message: 'value is not JSON',
  attempts: 1,
  firstFailureAt: new Date('2026-11-23T10:00:00.000Z'),
  lastFailureAt: new Date('2026-11-23T10:00:00.000Z'),
  group: 'billing',
  host: 'worker-1',
}

async function connectProducer(): Promise<GatheringProducer> {
  const { kafka, logger } = testKafka()
  const producer = createGatheringProducer(kafka, {
    logger,
    maxRecordBytes: deadLetterMaxBytes,
    deliveryTimeoutMs: 30_000,
  })
  await producer.connect()
  onTestFinished(() => producer.close())
  return producer
}

/** A topic, a group, and their dead-letter topic, which does not exist yet and is deleted after the test. */
async function topicAndGroup(options: { partitions?: number; configs?: Record<string, string> } = {}) {
  // Records here carry old timestamps: the broker's retention, checked every five minutes, would delete them in between.
  const topic = await createTopic({ prefix: 'letters', configs: { 'retention.ms': '-1' }, ...options })
  const group = uniqueName('group')
  const dlt = deadLetterTopic(topic, group)
  onTestFinished(() => deleteTopic(testKafka(), dlt))
  return { topic, group, dlt }
}

function consumed({ topic, partition, offset, timestamp, key, value, headers }: ReadRecord): ConsumedRecord {
  return { topic, partition, offset, timestamp, key, value, headers }
}

describe('publish', () => {
  test('keeps a record bit by bit, and a consumer of the dead letter reads both it and why', async () => {
    const { topic, group, dlt } = await topicAndGroup()
    const producer = await connectProducer()
    const awkward: OutgoingRecord[] = [
      {
        topic,
        key: Buffer.from([0xff, 0x00, 0xfe]),
        value: Buffer.from([0x80, 0x00, 0xff]),
        headers: {
          'correlation-id': 'c-1',
          bytes: Buffer.from([0xff, 0x00]),
          repeated: [Buffer.from('a'), Buffer.from([0xff]), null],
          none: null,
          empty: Buffer.alloc(0),
        },
        timestamp: 1_000_000_000_123,
      },
      { topic, key: 'k', value: null, timestamp: 1_000_000_000_124 },
      { topic, key: null, value: Buffer.alloc(0), headers: {} },
    ]
    for (const record of awkward) await producer.send(record)
    const originals = (await readTopic(topic, { count: 3 })).map(consumed)

    const publisher = createDeadLetterPublisher({ ...testKafka(), producer })
    const why = { ...failure, group }
    for (const original of originals) await publisher.publish(original, why)

    const letters = await readTopic(dlt, { count: 3 })
    expect(letters.map(letter => readDeadLetter(letter))).toEqual(
      originals.map(original => ({ ok: true, original, failure: why })),
    )
    expect(letters.map(({ timestamp }) => timestamp)).toEqual(originals.map(({ timestamp }) => timestamp))
  })

  test('creates the topic with as many partitions as the record’s, and puts the dead letter into the same', async () => {
    const { topic, group, dlt } = await topicAndGroup({ partitions: 4 })
    await produce([0, 1, 2, 3].map(partition => ({ topic, partition, key: 'same', value: `v${partition}` })))
    const publisher = createDeadLetterPublisher({ ...testKafka(), producer: await connectProducer() })
    for (const original of await readTopic(topic, { count: 4 })) {
      const stored = await publisher.publish(consumed(original), { ...failure, group })
      expect(stored).toMatchObject({ topic: dlt, partition: original.partition })
    }
    const { kafka, logger } = testKafka()
    const spec = deadLetterTopicSpec({ topic, group, partitions: 4, replicationFactor: 1 })
    expect(await ensureTopics(kafka, [spec], { logger })).toMatchObject([
      { topic: dlt, outcome: 'exists as wanted' },
    ])
  })

  test('uses a topic that exists as it is, also with fewer partitions', async () => {
    const { topic, group, dlt } = await topicAndGroup({ partitions: 3 })
    await createTopic({ topic: dlt, partitions: 1 })
    await produce([{ topic, partition: 2, key: 'k', value: 'v' }])
    const [original] = await readTopic(topic, { count: 1 })
    if (original === undefined) throw new Error('not read')
    const publisher = createDeadLetterPublisher({ ...testKafka(), producer: await connectProducer() })
    const stored = await publisher.publish(consumed(original), { ...failure, group })
    expect(stored).toMatchObject({ topic: dlt, partition: 0 })
  })

  test('takes a record that just fitted into its own topic', async () => {
    const { topic, group, dlt } = await topicAndGroup()
    const producer = await connectProducer()
    await producer.send({ topic, key: 'k', value: Buffer.alloc(1_048_588 - 200, 'x') })
    const [original] = await readTopic(topic, { count: 1 })
    if (original === undefined) throw new Error('not read')
    const publisher = createDeadLetterPublisher({ ...testKafka(), producer })
    await publisher.publish(consumed(original), { ...failure, group, message: 'long '.repeat(1_000) })
    const [letter] = await readTopic(dlt, { count: 1 })
    expect(letter?.value?.equals(original.value ?? Buffer.alloc(0))).toBe(true)
  })

  test('takes a record from days ahead, if its own topic did', async () => {
    const noLimit = { 'retention.ms': '-1', 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) }
    const { topic, group, dlt } = await topicAndGroup({ configs: noLimit })
    const producer = await connectProducer()
    const timestamp = Date.now() + 3 * 86_400_000
    await producer.send({ topic, key: 'k', value: 'v', timestamp })
    const [original] = await readTopic(topic, { count: 1 })
    if (original === undefined) throw new Error('not read')
    await createDeadLetterPublisher({ ...testKafka(), producer }).publish(consumed(original), {
      ...failure,
      group,
    })
    const [letter] = await readTopic(dlt, { count: 1 })
    expect(letter?.timestamp).toBe(String(timestamp))
  })

  test('throws when the dead letter cannot be stored, and works again when it can', async () => {
    const { topic, group, dlt } = await topicAndGroup()
    await createTopic({ topic: dlt, configs: { 'max.message.bytes': '100' } })
    await produce([{ topic, key: 'k', value: 'v' }])
    const [original] = await readTopic(topic, { count: 1 })
    if (original === undefined) throw new Error('not read')
    const publisher = createDeadLetterPublisher({ ...testKafka(), producer: await connectProducer() })
    await expect(publisher.publish(consumed(original), { ...failure, group })).rejects.toThrow(
      /MESSAGE_TOO_LARGE/,
    )
    expect(await readTopic(dlt)).toEqual([])

    await deleteTopic(testKafka(), dlt)
    await eventually(() => publisher.publish(consumed(original), { ...failure, group }), { what: 'publish' })
    expect(await readTopic(dlt, { count: 1 })).toHaveLength(1)
  })
})

/** Dead letters of `count` records, every second of which is exhausted, spread over 2 partitions. */
async function deadLettersOf(count: number) {
  const names = await topicAndGroup({ partitions: 2 })
  const { topic, group, dlt } = names
  const values = Array.from({ length: count }, (_, index) => `v${index}`)
  await produce(
    values.map((value, index) => ({
      topic,
      partition: index % 2,
      key: `k${index}`,
      value,
      headers: { id: `id-${index}` },
      timestamp: 1_700_000_000_000 + index,
    })),
  )
  const originals = (await readTopic(topic, { count })).map(consumed)
  const producer = await connectProducer()
  const publisher = createDeadLetterPublisher({ ...testKafka(), producer })
  await Promise.all(
    originals.map(original => {
      const category = Number(original.offset) % 2 === 0 ? 'not retryable' : 'retries exhausted'
      return publisher.publish(original, { ...failure, group, category })
    }),
  )
  return { ...names, originals, producer, options: { ...testKafka(), producer, deadLetterTopic: dlt } }
}

describe('replay', () => {
  test('sends every record back to its topic and partition, as it was, and says from where', async () => {
    const { topic, dlt, originals, options } = await deadLettersOf(20)
    const begunAt = Date.now()
    expect(await replay(options)).toEqual({ read: 20, replayed: 20, passedOver: 0, unreadable: 0 })

    const letters = await readTopic(dlt)
    const replayed = (await readTopic(topic, { count: 40 })).filter(
      ({ headers }) => replayedFromHeader in headers,
    )
    expect(replayed).toHaveLength(20)
    for (const partition of [0, 1]) {
      const before = originals.filter(each => each.partition === partition)
      const after = replayed.filter(each => each.partition === partition)
      const lettersHere = letters.filter(each => each.partition === partition)
      const from = lettersHere.map(({ offset }) => Buffer.from(`${dlt}/${partition}/${offset}`))
      expect(after.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(
        before.map(({ key, value, timestamp, headers }, index) => ({
          key,
          value,
          headers: {
            ...headers,
            [replayedFromHeader]: from[index],
            [replayedTimestampHeader]: Buffer.from(timestamp),
          },
        })),
      )
      // Not as old as they were: a topic that keeps records for a week would delete them.
      for (const { timestamp } of after) expect(Number(timestamp)).toBeGreaterThanOrEqual(begunAt)
    }
    expect(letters).toHaveLength(20)
  })

  test('sends a record where its key belongs when its partition is gone', async () => {
    const { topic, options } = await deadLettersOf(6)
    await deleteTopic(testKafka(), topic)
    // Deleted topics stay known for some moments.
    await eventually(() => createTopic({ topic, partitions: 1 }), { what: 'the topic, made anew' })

    expect(await replay(options)).toMatchObject({ read: 6, replayed: 6 })
    const values = (await readTopic(topic, { count: 6 })).map(({ value }) => String(value))
    expect(values.toSorted()).toEqual(['v0', 'v1', 'v2', 'v3', 'v4', 'v5'])
  })

  test('of one category leaves the other', async () => {
    const { topic, options } = await deadLettersOf(10)
    const report = await replay({ ...options, category: 'retries exhausted' })
    expect(report).toEqual({ read: 10, replayed: 4, passedOver: 6, unreadable: 0 })
    expect(await readTopic(topic)).toHaveLength(14)
  })

  test('as a dry run sends nothing', async () => {
    const { topic, options } = await deadLettersOf(4)
    expect(await replay({ ...options, dryRun: true })).toMatchObject({ read: 4, replayed: 4 })
    expect(await readTopic(topic)).toHaveLength(4)
  })

  test('tells what was sent only when it was, and in a dry run what would be', async () => {
    const { options, producer } = await deadLettersOf(2)
    const lines: string[] = []
    const logger = pino({ level: 'info' }, { write: line => void lines.push(line) })
    const told = (what: string) => lines.filter(line => line.includes(`"msg":"${what}"`)).length

    await replay({ ...options, logger, dryRun: true })
    expect([told('dead letter would be replayed'), told('dead letter replayed')]).toEqual([2, 0])

    const failing: GatheringProducer = {
      ...producer,
      connected: true,
      sendBatch: () => Promise.reject(new Error('not sent')),
    }
    await expect(replay({ ...options, logger, producer: failing })).rejects.toThrow('not sent')
    expect(told('dead letter replayed')).toBe(0)

    await replay({ ...options, logger })
    expect(told('dead letter replayed')).toBe(2)
  })

  test('ends although every record that it sends comes back as a dead letter at once', async () => {
    const { topic, group, dlt, producer, options } = await deadLettersOf(6)
    const failing: GatheringProducer = {
      ...producer,
      connected: true,
      sendBatch: async records => {
        const stored = await producer.sendBatch(records)
        for (const [index, { partition, offset }] of stored.entries()) {
          const { key, value } = records[index] ?? { key: null, value: null }
          const again = { topic, partition, offset, timestamp: '1', key: bytes(key), value: bytes(value) }
          await producer.send(toDeadLetter(again, { ...failure, group }))
        }
        return stored
      },
    }
    expect(await replay({ ...options, producer: failing })).toMatchObject({ read: 6, replayed: 6 })
    expect(await readTopic(dlt)).toHaveLength(12)
  })

  test('passes over what is no dead letter', async () => {
    const { topic, dlt, options } = await deadLettersOf(2)
    await produce([{ topic: dlt, partition: 0, key: 'k', value: 'put there by hand' }])
    expect(await replay(options)).toEqual({ read: 3, replayed: 2, passedOver: 0, unreadable: 1 })
    expect(await readTopic(topic)).toHaveLength(4)
  })

  test('fails when there is no such topic', async () => {
    const { kafka, logger } = testKafka()
    const producer = await connectProducer()
    const missing = uniqueName('no-such-topic')
    await expect(replay({ kafka, logger, producer, deadLetterTopic: missing })).rejects.toThrow(missing)
  })

  test('fails when a record cannot be sent', async () => {
    const { topic, options } = await deadLettersOf(2)
    await deleteTopic(testKafka(), topic)
    // For some moments the broker takes records for it all the same.
    await eventually(
      async () => expect(await withAdmin(testKafka(), admin => admin.listTopics())).not.toContain(topic),
      { what: 'the end of the topic' },
    )
    await expect(replay(options)).rejects.toThrow(topic)
  })

  test('of an empty topic is over at once, and no reader’s group is left on the broker', async () => {
    const dlt = await createTopic({ prefix: 'empty' })
    const { kafka, logger } = testKafka()
    const producer = await connectProducer()
    expect(await replay({ kafka, logger, producer, deadLetterTopic: dlt })).toMatchObject({ read: 0 })

    const { options } = await deadLettersOf(2)
    const lines: string[] = []
    await replay({ ...options, logger: pino({ level: 'info' }, { write: line => void lines.push(line) }) })
    // Not just any reader's: other tests may be reading at this moment.
    const [, ownGroupId] = /"groupId":"(dead-letter-reader-[^"]+)"/.exec(lines.join('')) ?? []
    expect(ownGroupId).toBeDefined()
    const { groups } = await withAdmin(testKafka(), admin => admin.listGroups())
    expect(groups.map(({ groupId }) => groupId)).not.toContain(ownGroupId)
  })
})

test('listDeadLetters counts each topic and tells its newest dead letter', async () => {
  const { topic, group, dlt } = await topicAndGroup({ partitions: 2 })
  const other = await topicAndGroup()
  await createTopic({ topic: other.dlt })
  await produce([0, 0, 0, 1].map((partition, index) => ({ topic, partition, key: 'k', value: `v${index}` })))
  const { kafka, logger } = testKafka()
  const publisher = createDeadLetterPublisher({ kafka, logger, producer: await connectProducer() })
  for (const original of await readTopic(topic, { count: 4 })) {
    const newest = original.partition === 0 && original.offset === '2'
    const lastFailureAt = new Date(newest ? '2026-11-23T12:00:00Z' : '2026-11-23T11:00:00Z')
    const message = newest ? 'the newest' : 'older'
    await publisher.publish(consumed(original), { ...failure, group, lastFailureAt, message })
  }

  const summaries = await listDeadLetters({
    kafka,
    logger,
    topics: [other.dlt, uniqueName('no-such-topic'), dlt],
  })

  expect(summaries).toHaveLength(2)
  expect(summaries.find(each => each.topic === dlt)).toMatchObject({
    count: 4,
    newest: {
      partition: 0,
      offset: '2',
      original: { topic, partition: 0, offset: '2' },
      failure: { message: 'the newest', group, category: 'not retryable' },
    },
  })
  expect(summaries.find(each => each.topic === other.dlt)).toEqual({
    topic: other.dlt,
    count: 0,
    newest: null,
  })
})

function bytes(part: Buffer | string | null): Buffer | null {
  return typeof part === 'string' ? Buffer.from(part) : part
}
