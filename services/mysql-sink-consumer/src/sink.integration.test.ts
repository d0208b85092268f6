import { randomUUID } from 'node:crypto'
import { deadLetterTopic, readDeadLetter } from '@kafka-pattern/dead-letter'
import {
  createTopic,
  eventually,
  produce,
  readTopic,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  appliedBatches,
  deadLettered,
  deletedState,
  momentOf,
  newestOf,
  readReplica,
  recordOf,
  setStage,
  stateOf,
  tombstoneOf,
} from './test-users.ts'
import type { Stage } from './test-users.ts'
import type { UserState } from '@kafka-pattern/events'

const appliedUpTo = (stage: Stage, nextOffset: string) =>
  eventually(async () => expect(await stage.offsets()).toEqual({ 0: nextOffset }), {
    what: `offset ${nextOffset}`,
  })

/** Sends and awaits that the offset is behind it: a batch of its own. */
async function produceBatch(stage: Stage, records: Parameters<typeof produce>[0], nextOffset: string) {
  await produce(records)
  await appliedUpTo(stage, nextOffset)
}

async function deadLettersOf({ topic, group }: Stage, count: number) {
  const letters = await readTopic(deadLetterTopic(topic, group), { count })
  return letters.map(letter => {
    const read = readDeadLetter(letter)
    if (!read.ok) throw new Error(read.reason)
    return { ...read.original, ...read.failure }
  })
}

const withLongName = (id: string, version: number) => stateOf(id, version, { name: 'x'.repeat(21) })

describe('states become rows', () => {
  test('to the microsecond; each batch says what became of it', async () => {
    const stage = await setStage()
    const [ada, bob, eve] = [randomUUID(), randomUUID(), randomUUID()]
    const states = [
      stateOf(ada, 1, { name: `Ada "O'Hara" \\ ; DROP TABLE users_replica; -- 🦊 ?`, level: 100 }),
      stateOf(bob, 1),
      stateOf(bob, 2),
      deletedState(eve, 3),
    ]
    await produce(states.map(state => recordOf(stage.topic, state)))
    const sink = await stage.start()
    await eventually(async () => expect(await stage.replica()).toEqual(newestOf(states)), {
      what: 'the replica',
    })
    const { topic } = stage
    const applied = await sink.waitForLog(line => line.msg === 'batch applied')
    expect(applied).toMatchObject({ topic, partition: 0, records: 4, firstOffset: '0', nextOffset: '4' })
    expect(applied).toMatchObject({ upserted: 2, deleted: 1, stale: 0, superseded: 1, tombstones: 0, lag: 0 })

    const metrics = await (await fetch(`${sink.probeUrl}/metrics`)).text()
    expect(metrics).toMatch(/kafka_records_total\{[^}]*outcome="upserted"[^}]*\} 2\b/)
    expect(metrics).toMatch(/kafka_records_total\{[^}]*outcome="deleted"[^}]*\} 1\b/)
    expect(metrics).toMatch(/kafka_consumer_lag_records\{[^}]*\} 0\b/)
    expect(metrics).toMatch(/kafka_batch_records_count\{[^}]*\} 1\b/)
  })

  test('in the table that REPLICA_TABLE names', async () => {
    const stage = await setStage()
    const state = stateOf(randomUUID(), 1)
    await stage.start({ REPLICA_TABLE: 'users_replica_outbox' })
    await produceBatch(stage, [recordOf(stage.topic, state)], '1')
    expect(await readReplica(stage.database.root, 'users_replica_outbox')).toEqual([state])
    expect(await stage.replica()).toEqual([])
  })
})

describe('a row never goes back', () => {
  test('an older or equal version changes nothing, in a batch of its own or among newer ones', async () => {
    const stage = await setStage()
    const id = randomUUID()
    const other = randomUUID()
    const sink = await stage.start()
    await produceBatch(stage, [recordOf(stage.topic, stateOf(id, 5))], '1')
    await produceBatch(stage, [recordOf(stage.topic, stateOf(id, 4))], '2')
    await produceBatch(stage, [recordOf(stage.topic, stateOf(id, 5, { name: 'not the same' }))], '3')
    const late = [stateOf(other, 2), stateOf(id, 3), stateOf(other, 1)]
    await produceBatch(
      stage,
      late.map(state => recordOf(stage.topic, state)),
      '6',
    )
    expect(await stage.replica()).toEqual(newestOf([stateOf(id, 5), ...late]))
    await sink.waitForLog(line => line.nextOffset === '6')
    expect(appliedBatches(sink).reduce((sum, { stale, superseded }) => sum + stale + superseded, 0)).toBe(4)
  })

  test('each batch counts exactly what it changed, a single record as thousands do', async () => {
    const stage = await setStage()
    const ids = Array.from({ length: 30 }, () => randomUUID())
    const sink = await stage.start()
    const first = ids.slice(0, 20).map(id => stateOf(id, 2))
    await produceBatch(
      stage,
      first.map(state => recordOf(stage.topic, state)),
      '20',
    )
    // 10 newer, 10 older, 10 new ones
    const second = ids.map((id, index) => stateOf(id, index < 10 ? 3 : 1))
    await produceBatch(
      stage,
      second.map(state => recordOf(stage.topic, state)),
      '50',
    )
    const one = ids[0] ?? ''
    await produceBatch(stage, [recordOf(stage.topic, stateOf(one, 4))], '51')
    await produceBatch(stage, [recordOf(stage.topic, stateOf(one, 4))], '52')
    await produceBatch(stage, [recordOf(stage.topic, stateOf(randomUUID(), 1))], '53')
    await sink.waitForLog(line => line.nextOffset === '53')
    const counted = appliedBatches(sink).map(({ upserted, deleted, stale }) => [upserted, deleted, stale])
    expect(counted).toEqual([[20, 0, 0], [20, 0, 10], [1, 0, 0], [0, 0, 1], [1, 0, 0]]) // prettier-ignore
  })

  test('a deleted user stays deleted, whatever older state comes after', async () => {
    const stage = await setStage()
    const [before, after] = [randomUUID(), randomUUID()]
    await stage.start()
    await produceBatch(stage, [recordOf(stage.topic, stateOf(before, 1))], '1')
    const gone = [deletedState(before, 3), deletedState(after, 3)]
    await produceBatch(
      stage,
      gone.map(state => recordOf(stage.topic, state)),
      '3',
    )
    const older = [stateOf(before, 2), stateOf(after, 2)]
    await produceBatch(
      stage,
      older.map(state => recordOf(stage.topic, state)),
      '5',
    )
    expect(await stage.replica()).toEqual(newestOf(gone))
  })
})

describe('tombstones', () => {
  test('say nothing new after the last state of a deleted user, in the same batch or a later one', async () => {
    const stage = await setStage()
    const [together, apart] = [randomUUID(), randomUUID()]
    const sink = await stage.start()
    const gone = [deletedState(together, 2), deletedState(apart, 2)]
    await produceBatch(
      stage,
      [...gone.map(state => recordOf(stage.topic, state)), tombstoneOf(stage.topic, together)],
      '3',
    )
    await produceBatch(stage, [tombstoneOf(stage.topic, apart)], '4')
    expect(await stage.replica()).toEqual(newestOf(gone))
    await sink.waitForLog(line => line.nextOffset === '4')
    expect(appliedBatches(sink)).toMatchObject([
      { deleted: 2, tombstones: 1 },
      { deleted: 0, tombstones: 1 },
    ])
  })

  test('delete the row where compaction removed that state, but not one that was changed since', async () => {
    const stage = await setStage()
    const [gone, restored, unknown] = [randomUUID(), randomUUID(), randomUUID()]
    const at = Date.parse(momentOf(10))
    await stage.start()
    await produceBatch(
      stage,
      [stateOf(gone, 1), stateOf(restored, 11)].map(state => recordOf(stage.topic, state)),
      '2',
    )
    await produceBatch(
      stage,
      [gone, restored, unknown].map(id => tombstoneOf(stage.topic, id, at)),
      '5',
    )
    const deletedAt = new Date(at).toISOString().replace('Z', '000Z')
    const expected = [stateOf(gone, 1, { deleted_at: deletedAt }), stateOf(restored, 11)]
    expect(await stage.replica()).toEqual(newestOf(expected))
  })

  test.each([
    ['in microseconds', Date.parse(momentOf(10)) * 1_000],
    ['later than any Date, as nanoseconds are', Number.MAX_SAFE_INTEGER],
  ])('delete the row also when their time is %s', async (_what, at) => {
    const stage = await setStage({ configs: { 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) } })
    const gone = randomUUID()
    await stage.start()
    await produceBatch(
      stage,
      [recordOf(stage.topic, stateOf(gone, 1)), tombstoneOf(stage.topic, gone, at)],
      '2',
    )
    const lastMoment = '9999-12-31T23:59:59.999000Z'
    expect(await stage.replica()).toEqual([stateOf(gone, 1, { deleted_at: lastMoment })])
  })
})

describe('offsets with gaps', () => {
  test('aborted transactions are not applied, and what ends a transaction is no lag', async () => {
    const stage = await setStage()
    const producer = testKafka().kafka.producer({ transactionalId: uniqueName('tx'), maxInFlightRequests: 1 })
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const id = randomUUID()
    const sent = [
      [stateOf(id, 1), 'commit'],
      [stateOf(id, 9), 'abort'],
      [stateOf(id, 2), 'commit'],
    ] as const
    for (const [state, end] of sent) {
      const transaction = await producer.transaction()
      await transaction.send({
        topic: stage.topic,
        messages: [{ key: id, value: JSON.stringify(state) }],
      })
      await transaction[end]()
    }
    const sink = await stage.start()
    await appliedUpTo(stage, '6')
    expect(await stage.replica()).toEqual([stateOf(id, 2)])
    const applied = await sink.waitForLog(line => line.nextOffset === '6')
    expect(applied).toMatchObject({ lag: 0 })
  })

  test('a topic whose beginning is gone is read from the oldest record that is left', async () => {
    const stage = await setStage()
    const states = Array.from({ length: 10 }, (_, index) => stateOf(randomUUID(), index + 1))
    await produce(states.map(state => recordOf(stage.topic, state)))
    await withAdmin(testKafka(), async admin => {
      // kafkajs deletes only from topics that it has met.
      await admin.fetchTopicOffsets(stage.topic)
      await admin.deleteTopicRecords({ topic: stage.topic, partitions: [{ partition: 0, offset: '7' }] })
    })
    await stage.start()
    await appliedUpTo(stage, '10')
    expect(await stage.replica()).toEqual(newestOf(states.slice(7)))
  })
})

describe('what cannot be applied', () => {
  test('unreadable records are dead-lettered with the reason, the rest of the batch is applied', async () => {
    const stage = await setStage()
    const { topic } = stage
    const good = [stateOf(randomUUID(), 1), stateOf(randomUUID(), 1)]
    const [id, other] = [randomUUID(), randomUUID()]
    const invalid = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff]), Buffer.from('"}')])
    const records = [
      ...good.slice(0, 1).map(state => recordOf(topic, state)),
      { topic, key: id, value: '{"id": unreadable' },
      { topic, key: id, value: invalid },
      recordOf(topic, stateOf(id, 1, { level: 101 })),
      { ...recordOf(topic, stateOf(id, 1)), key: other },
      { ...recordOf(topic, stateOf(id, 1)), key: null },
      tombstoneOf(topic, 'nobody'),
      ...good.slice(1).map(state => recordOf(topic, state)),
    ]
    await produce(records)
    const sink = await stage.start()
    await appliedUpTo(stage, String(records.length))
    expect(await stage.replica()).toEqual(newestOf(good))
    const letters = (await deadLettersOf(stage, 6)).toSorted((a, b) => Number(a.offset) - Number(b.offset))
    expect(letters.map(({ offset }) => offset)).toEqual(['1', '2', '3', '4', '5', '6'])
    expect(letters.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^value is not JSON/),
      'value is not JSON: not UTF-8',
      expect.stringMatching(/^value is not of the schema: level/),
      `the key is not the id of the value, ${id}`,
      'the record has no key',
      'a tombstone whose key is not the id of a user',
    ])
    expect(letters[1]?.value?.equals(invalid)).toBe(true)
    expect(letters.every(({ category, attempts }) => category === 'not retryable' && attempts === 1)).toBe(
      true,
    )
    await sink.waitForLog(line => line.nextOffset === String(records.length))
    const lines = deadLettered([sink])
    expect(lines).toHaveLength(6)
    expect(lines.find(line => line.offset === '3')).toMatchObject({
      topic,
      partition: 0,
      key: id,
      correlationId: `of-${id}-1`,
    })
  })

  test('what the table refuses is narrowed down to its records; the rest is applied, the states before them too', async () => {
    const stage = await setStage()
    const { root } = stage.database
    await root.write('ALTER TABLE users_replica MODIFY name VARCHAR(20) NOT NULL')
    await root.write('ALTER TABLE users_replica ADD CHECK (level < 90)')
    const ids = Array.from({ length: 300 }, () => randomUUID())
    const good = ids.map(id => stateOf(id, 1))
    const bad: UserState[] = [
      withLongName(ids[7] ?? '', 2),
      stateOf(ids[123] ?? '', 2, { level: 90 }),
      { ...withLongName(ids[299] ?? '', 2), deleted_at: momentOf(2) },
      stateOf(randomUUID(), 1, { level: 100 }),
    ]
    await produce([...good, ...bad].map(state => recordOf(stage.topic, state)))
    const sink = await stage.start()
    await appliedUpTo(stage, '304')
    // The version before a refused one is applied, although a newer one came with it.
    expect(await stage.replica()).toEqual(newestOf(good))
    const letters = (await deadLettersOf(stage, 4)).toSorted((a, b) => Number(a.offset) - Number(b.offset))
    expect(letters.map(({ offset }) => offset)).toEqual(['300', '301', '302', '303'])
    expect(letters[0]?.message).toMatch(/Data too long for column 'name'/)
    expect(letters[1]?.message).toMatch(/CONSTRAINT|Check constraint/)
    // The log says which record it was, and shows nobody's data.
    await sink.waitForLog(line => line.nextOffset === '304')
    const lines = deadLettered([sink])
    expect(lines).toHaveLength(4)
    expect(JSON.stringify(lines)).not.toContain('xxx')
    expect(letters[0]?.headers['correlation-id']?.toString()).toBe(`of-${ids[7]}-2`)
  })

  test('a dead letter that is refused stops its partition: the offset does not pass it', async () => {
    const stage = await setStage()
    const dlt = deadLetterTopic(stage.topic, stage.group)
    await createTopic({ topic: dlt, configs: { 'max.message.bytes': '100' } })
    const state = stateOf(randomUUID(), 1)
    await produce([{ topic: stage.topic, key: 'k', value: 'not JSON' }, recordOf(stage.topic, state)])
    const sink = await stage.start({}, { waitReady: false })
    await sink.waitForLog(line => line.msg === 'dead letter refused, the partition waits')
    await eventually(async () => expect((await fetch(`${sink.probeUrl}/readyz`)).status).toBe(503), {
      what: '/readyz to be 503',
    })
    expect(await stage.offsets()).toEqual({ 0: '0' })
    expect(await stage.replica()).toEqual([])
    await withAdmin(testKafka(), admin =>
      admin.alterConfigs({
        validateOnly: false,
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum is kafkajs' own; 2 is TOPIC
        resources: [{ type: 2, name: dlt, configEntries: [{ name: 'max.message.bytes', value: '1000000' }] }],
      }),
    )
    await appliedUpTo(stage, '2')
    expect(await stage.replica()).toEqual([state])
  })
})
