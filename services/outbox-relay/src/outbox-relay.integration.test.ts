import { setTimeout as delay } from 'node:timers/promises'
import {
  createTopic,
  deleteTopic,
  eventually,
  readTopic,
  startOwnMysql,
  testKafka,
} from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import {
  countVersions,
  createOutbox,
  insertEvent,
  insertEvents,
  metric,
  openTransaction,
  publishedVersions,
  shortGrace,
  startWriting,
} from './test-relay.ts'
import type { RunningService } from '@kafka-pattern/test-kit'

test('a row becomes a record of the outbox event router: key, headers, and the payload as it is', async () => {
  const outbox = await createOutbox()
  await insertEvent(outbox, {
    aggregateid: 'Jürgen',
    version: 1,
    // In the order in which MySQL keeps them, shorter names first.
    payload: '{"big":12345678901234567890,"name":"Jürgen 🦊"}',
    correlationId: 'c-1',
  })
  await outbox.startRelay()
  const [record] = await readTopic(outbox.topic, { count: 1 })
  const [row] = await outbox.database.root.rows<{ id: string }>('SELECT id FROM outbox')
  expect(record?.key?.toString()).toBe('Jürgen')
  // MySQL puts blanks between what it has parsed.
  expect(record?.value?.toString().replaceAll(/(?<=[:,]) /g, '')).toBe(
    '{"big":12345678901234567890,"name":"Jürgen 🦊"}',
  )
  expect(record?.headers).toEqual({
    id: Buffer.from(row!.id),
    'event-type': Buffer.from('VersionReached'),
    'correlation-id': Buffer.from('c-1'),
    'content-type': Buffer.from('application/json'),
  })
})

test('the topic of an aggregate type is made when its first row comes', async () => {
  const outbox = await createOutbox()
  await outbox.startRelay({ TOPIC_PARTITIONS: '5' })
  await insertEvents(
    outbox.database.root,
    outbox.type,
    Array.from({ length: 100 }, (_, i) => ({ aggregateid: `a-${i}`, version: 1 })),
  )
  const records = await readTopic(outbox.topic, { count: 100 })
  expect(new Set(records.map(({ partition }) => partition)).size).toBe(5)
})

test('a topic that is deleted under load is made anew, and what is not yet published comes into it, in order', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  const writing = await startWriting(outbox, {
    writers: 4,
    aggregates: 50,
    aggregatesPerTransaction: 2,
    eventsPerAggregate: 2,
    longestTransactionMs: 300,
    rollbackShare: 0.1,
  })
  await relay.waitForLog(line => line.msg === 'events published')
  await deleteTopic(testKafka(), outbox.topic)
  await eventually(
    () => {
      const created = relay.logLines.filter(
        line => line.msg === 'topic created' && line.topic === outbox.topic,
      )
      expect(created.length).toBeGreaterThan(1)
    },
    { what: 'the topic to be made anew' },
  )
  const before = writing.committed
  await eventually(() => expect(writing.committed).toBeGreaterThan(before + 200), { what: 'more rows' })
  await writing.stop()
  const expected = await writing.expected()
  await eventually(
    async () => expect(await metric(relay, 'outbox_relay_published_total')).toBe(countVersions(expected)),
    { what: 'every row to be published once' },
  )

  // What was published before the deletion is gone with the topic: of every aggregate the last ones are there.
  const seen = await publishedVersions(outbox.topic)
  expect(countVersions(seen)).toBeGreaterThanOrEqual(writing.committed - before)
  for (const [aggregate, versions] of seen) {
    expect(versions).toEqual(expected.get(aggregate)!.slice(-versions.length))
  }
  expect(await outbox.database.root.rows('SELECT seq FROM relay_parked')).toEqual([])
})

test('numbers whose transaction was rolled back are forgotten after a while, those of an open one are not', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay(shortGrace)
  const rolledBack = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: 'never', version: 1 }]),
  )
  await insertEvent(outbox, { aggregateid: 'between', version: 1 })
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(1), {
    what: 'a hole',
  })
  await rolledBack.end('ROLLBACK')
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(0), {
    what: 'the number of what was rolled back to be forgotten',
    // Whatever is open on the server by then is waited for, and other tests keep a transaction open for more than a minute.
    timeoutMs: 180_000,
  })
  const open = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [
      { aggregateid: 'late', version: 1 },
      { aggregateid: 'late', version: 2 },
    ]),
  )
  await insertEvent(outbox, { aggregateid: 'after', version: 1 })
  await readTopic(outbox.topic, { count: 2 })
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(2), {
    what: 'two holes',
  })
  // Several times as long as it took to forget the other one.
  await delay(3_000)
  expect(await metric(relay, 'outbox_relay_holes')).toBe(2)
  await open.end('COMMIT')
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(0), {
    what: 'no holes',
  })
  expect(await publishedVersions(outbox.topic, { count: 4 })).toEqual(
    new Map([
      ['between', [1]],
      ['after', [1]],
      ['late', [1, 2]],
    ]),
  )
}, 360_000)

test('a prepared transaction whose session is gone (XA) still fills its hole', async () => {
  const outbox = await createOutbox()
  const { root } = outbox.database
  const relay = await outbox.startRelay(shortGrace)
  const xid = `'${outbox.type}'`
  await root
    .withConnection(async connection => {
      await connection.write(`XA START ${xid}`)
      await insertEvents(connection, outbox.type, [{ aggregateid: 'prepared', version: 1 }])
      await connection.write(`XA END ${xid}`)
      await connection.write(`XA PREPARE ${xid}`)
      await insertEvent(outbox, { aggregateid: 'after', version: 1 })
      await readTopic(outbox.topic, { count: 1 })
      // The relay looks at who might fill the hole, and only then the session goes.
      await delay(1_500)
      throw new Error('the session goes')
    })
    .catch(() => {})
  // Longer than it takes to find a hole dead.
  await delay(2_000)
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(1), {
    what: 'the hole',
  })
  await root.write(`XA COMMIT ${xid}`)
  expect((await publishedVersions(outbox.topic, { count: 2 })).get('prepared')).toEqual([1])
})

test('two transactions of thousands of rows in turns: what Kafka has room for comes at once, the rest when both have ended', async () => {
  const outbox = await createOutbox()
  const { type } = outbox
  const each = 5_000
  // Every other number: what two sessions get that insert row by row side by side.
  const everyOther = (first: number) =>
    openTransaction(outbox, async connection => {
      await connection.write(
        'INSERT INTO outbox (seq, id, aggregatetype, aggregateid, type, payload, correlation_id) VALUES ?',
        [
          Array.from({ length: each }, (_, i) => [
            first + 2 * i,
            crypto.randomUUID(),
            type,
            `a-${first}`,
            'VersionReached',
            JSON.stringify({ version: i + 1 }),
            '',
          ]),
        ],
      )
    })
  const first = await everyOther(1)
  const second = await everyOther(2)
  await insertEvent(outbox, { aggregateid: 'later', version: 1 })
  const relay = await outbox.startRelay({ RELAY_LANES: '1', BATCH_SIZE: '20000' })
  await waitForPublished(relay, 1)

  await first.end('COMMIT')
  await waitForPublished(relay, 3_900)
  const lag = (await metric(relay, 'outbox_relay_lag_seconds')) || 0
  await eventually(
    async () => expect(await metric(relay, 'outbox_relay_lag_seconds')).toBeGreaterThan(lag + 1),
    {
      what: 'the age of the rows that wait to rise',
    },
  )
  await second.end('COMMIT')
  const versions = Array.from({ length: each }, (_, i) => i + 1)
  expect(await publishedVersions(outbox.topic, { count: 2 * each + 1 })).toEqual(
    new Map([
      ['a-1', versions],
      ['a-2', versions],
      ['later', [1]],
    ]),
  )
})

test('relays share the lanes, anew whenever one comes, stops or dies', async () => {
  const outbox = await createOutbox()
  const env = { RELAY_LANES: '5' }
  const writing = await startWriting(outbox, {
    writers: 4,
    aggregates: 50,
    aggregatesPerTransaction: 2,
    eventsPerAggregate: 2,
    longestTransactionMs: 500,
    rollbackShare: 0.1,
  })
  const first = await outbox.startRelay(env)
  await shares([first], [5])
  const second = await outbox.startRelay(env)
  await shares([first, second], [2, 3])
  const third = await outbox.startRelay(env)
  await shares([first, second, third], [1, 2, 2])
  await second.kill()
  await shares([first, third], [2, 3])
  expect(await first.stop()).toBe(0)
  await shares([third], [5])

  await writing.stop()
  const expected = await writing.expected()
  expect(await publishedVersions(outbox.topic, { count: countVersions(expected) })).toEqual(expected)
}, 360_000)

test('more relays than lanes: one without a lane is ready, and takes over', async () => {
  const outbox = await createOutbox()
  const env = { RELAY_LANES: '1' }
  const relays = [await outbox.startRelay(env), await outbox.startRelay(env)]
  await shares(relays, [0, 1])
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await publishedVersions(outbox.topic, { count: 1 })
  const owned = await Promise.all(relays.map(relay => metric(relay, 'outbox_relay_lanes_owned')))
  const [standby] = relays.splice(owned.indexOf(0), 1)
  expect(await relays[0]!.stop()).toBe(0)
  await shares([standby!], [1])
  await insertEvent(outbox, { aggregateid: 'a', version: 2 })
  expect((await publishedVersions(outbox.topic, { count: 2 })).get('a')).toEqual([1, 2])
})

test('a relay that was frozen past its lease publishes nothing when it wakes, and then takes its share again', async () => {
  const outbox = await createOutbox()
  const writing = await startWriting(outbox, {
    writers: 4,
    aggregates: 20,
    aggregatesPerTransaction: 2,
    eventsPerAggregate: 2,
    longestTransactionMs: 300,
    rollbackShare: 0.1,
  })
  const frozen = await outbox.startRelay()
  await frozen.waitForLog(line => line.msg === 'events published')
  // In the middle of its transactions, whatever they are at.
  frozen.freeze()
  const other = await outbox.startRelay()
  await eventually(async () => expect(await metric(other, 'outbox_relay_lanes_owned')).toBe(4), {
    what: 'the other relay to have all lanes',
  })
  await other.waitForLog(line => line.msg === 'events published')
  frozen.thaw()
  await eventually(
    async () => {
      expect(await metric(frozen, 'outbox_relay_lanes_owned')).toBe(2)
      expect(await metric(other, 'outbox_relay_lanes_owned')).toBe(2)
    },
    { what: 'equal shares' },
  )
  await writing.stop()
  const expected = await writing.expected()
  expect(await publishedVersions(outbox.topic, { count: countVersions(expected) })).toEqual(expected)
  expect(frozen.exit).toBeNull()
})

test('rows that Kafka does not take are parked with the reason and all they hold, and the rest flows, in order', async () => {
  const outbox = await createOutbox()
  await createTopic({ topic: outbox.topic, partitions: 2, configs: { 'max.message.bytes': '20000' } })
  const big = JSON.stringify({ version: 2, text: 'x'.repeat(30_000) })
  await insertEvents(outbox.database.root, outbox.type, [
    ...Array.from({ length: 300 }, (_, i) => ({
      aggregateid: `a-${i % 10}`,
      version: Math.floor(i / 10) + 1,
      payload: JSON.stringify({ version: Math.floor(i / 10) + 1, text: 'x'.repeat(500) }),
    })),
    { aggregateid: 'big', version: 1 },
    { aggregateid: 'big', version: 2, payload: big, correlationId: 'c-2' },
    { aggregateid: 'big', version: 3 },
    { aggregateid: 'b', version: 1, aggregatetype: 'no topic has such a name!' },
    { aggregateid: 'a-0', version: 31 },
  ])
  const relay = await outbox.startRelay({ PARK_AFTER_ATTEMPTS: '3' })
  const seen = await publishedVersions(outbox.topic, { count: 303 })
  expect(seen.get('big')).toEqual([1, 3])
  for (let i = 0; i < 10; i++) {
    expect(seen.get(`a-${i}`)).toEqual(Array.from({ length: i === 0 ? 31 : 30 }, (_, k) => k + 1))
  }

  await eventually(() => expect(relay.logLines.filter(({ msg }) => msg === 'row parked')).toHaveLength(2), {
    what: 'both rows to be parked',
  })
  const parked = await outbox.database.root.rows<{ payload: string }>(
    'SELECT aggregatetype, aggregateid, type, payload, correlation_id, error, attempts FROM relay_parked ORDER BY seq',
  )
  expect(parked).toMatchObject([
    {
      aggregatetype: outbox.type,
      aggregateid: 'big',
      type: 'VersionReached',
      correlation_id: 'c-2',
      error: expect.stringContaining('MESSAGE_TOO_LARGE'),
      attempts: 1,
    },
    { aggregateid: 'b', error: expect.stringContaining('not a legal topic name'), attempts: 1 },
  ])
  expect(JSON.parse(parked[0]!.payload)).toEqual(JSON.parse(big))

  // What is parked stays parked: another relay goes on behind it.
  await relay.kill()
  await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'big', version: 4 })
  expect((await publishedVersions(outbox.topic, { count: 304 })).get('big')).toEqual([1, 3, 4])
})

test('a hundred rows that are too large among a thousand cost no more transactions than one does', async () => {
  const outbox = await createOutbox()
  await createTopic({ topic: outbox.topic, partitions: 3, configs: { 'max.message.bytes': '10000' } })
  await insertEvents(
    outbox.database.root,
    outbox.type,
    Array.from({ length: 1_000 }, (_, i) => ({
      aggregateid: `a-${i}`,
      version: 1,
      payload: JSON.stringify({ version: 1, text: 'x'.repeat(i % 10 === 5 ? 20_000 : 100) }),
    })),
  )
  const relay = await outbox.startRelay({ RELAY_LANES: '1', LOG_LEVEL: 'debug' })
  const published = await publishedVersions(outbox.topic, { count: 900 })
  expect(published.size).toBe(900)
  const parked = await outbox.database.root.rows('SELECT seq, attempts FROM relay_parked ORDER BY seq')
  expect(parked).toEqual(Array.from({ length: 100 }, (_, i) => ({ seq: String(10 * i + 6), attempts: 1 })))
  // Those in which the batches are halved, and one that finds all of them.
  const failed = relay.logLines.filter(({ msg }) => msg === 'transaction failed, begun anew')
  expect(failed.length).toBeLessThan(15)
})

test('a server whose sessions would see what is not committed: rolled back rows are not published, their numbers forgotten', async () => {
  const outbox = await createOutbox({ on: await startOwnMysql() })
  const { root } = outbox.database
  await root.write('SET GLOBAL TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
  const relay = await outbox.startRelay(shortGrace)
  const open = await openTransaction(outbox, connection =>
    insertEvents(connection, outbox.type, [{ aggregateid: 'a', version: 1 }]),
  )
  await insertEvent(outbox, { aggregateid: 'b', version: 1 })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['b', [1]]]))
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(1), {
    what: 'a hole',
  })
  await open.end('ROLLBACK')
  await eventually(async () => expect(await metric(relay, 'outbox_relay_holes')).toBe(0), {
    what: 'the number to be forgotten',
  })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['b', [1]]]))
})

test('a relay that has never published begins where it is told to', async () => {
  const outbox = await createOutbox()
  for (const version of [1, 2, 3]) await insertEvent(outbox, { aggregateid: 'a', version })
  await outbox.startRelay({ START_AFTER_SEQ: '2' })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['a', [3]]]))
})

test('a relay that was told where to begin, and found nothing there yet, can be started again', async () => {
  const outbox = await createOutbox()
  for (const version of [1, 2]) await insertEvent(outbox, { aggregateid: 'a', version })
  const first = await outbox.startRelay({ START_AFTER_SEQ: '2' })
  expect(await first.stop()).toBe(0)
  await outbox.startRelay({ START_AFTER_SEQ: '2' })
  await insertEvent(outbox, { aggregateid: 'a', version: 3 })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['a', [3]]]))
})

test('rows of aggregate types that are not among AGGREGATE_TYPES are parked', async () => {
  const outbox = await createOutbox()
  await outbox.startRelay({ AGGREGATE_TYPES: `other,${outbox.type}` })
  await insertEvent(outbox, { aggregateid: 'a', version: 1, aggregatetype: 'unknown' })
  await insertEvent(outbox, { aggregateid: 'a', version: 2 })
  expect(await publishedVersions(outbox.topic, { count: 1 })).toEqual(new Map([['a', [2]]]))
  await eventually(
    async () =>
      expect(await outbox.database.root.rows('SELECT error FROM relay_parked')).toEqual([
        { error: 'the aggregate type "unknown" is not among AGGREGATE_TYPES' },
      ]),
    { what: 'the row to be parked' },
  )
})

test('stopped while a topic cannot be made yet: it ends in order', async () => {
  const outbox = await createOutbox()
  await createTopic({ topic: outbox.env.KAFKA_CURSOR_TOPIC!, partitions: 4 })
  // More replicas than brokers.
  const relay = await outbox.startRelay({ TOPIC_REPLICATION_FACTOR: '3', LOG_LEVEL: 'debug' })
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await relay.waitForLog(line => line.msg === 'waiting for topics')
  expect(await relay.stop()).toBe(0)
})

test('metrics say what was published and parked, how old the oldest waiting row is, and which lanes it has', async () => {
  const outbox = await createOutbox()
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await insertEvent(outbox, { aggregateid: 'a', version: 2, aggregatetype: '?' })
  await waitForPublished(relay, 1)
  await eventually(
    async () => {
      expect(await metric(relay, 'outbox_relay_parked_total')).toBe(1)
      expect(await metric(relay, 'outbox_relay_lag_seconds')).toBe(0)
      expect(await metric(relay, 'outbox_relay_lanes_owned')).toBe(4)
    },
    { what: 'the metrics' },
  )
})

test('how old the oldest waiting row is, it does not say before it knows', async () => {
  const outbox = await createOutbox()
  // Nobody listens there.
  const relay = await outbox.startRelay({ KAFKA_BROKERS: '127.0.0.1:1' }, { waitReady: false })
  await relay.waitForLog(line => line.msg === 'probes listening')
  expect(await metric(relay, 'outbox_relay_lag_seconds')).toBeNaN()
})

function waitForPublished(relay: RunningService, count: number): Promise<void> {
  return eventually(
    async () => expect(await metric(relay, 'outbox_relay_published_total')).toBeGreaterThanOrEqual(count),
    { what: `${count} published rows` },
  )
}

function shares(relays: readonly RunningService[], wanted: readonly number[]): Promise<void> {
  return eventually(
    async () => {
      const owned = await Promise.all(relays.map(relay => metric(relay, 'outbox_relay_lanes_owned')))
      expect(owned.toSorted((a, b) => a - b)).toEqual(wanted)
    },
    { what: `shares of ${wanted.join(', ')}` },
  )
}
