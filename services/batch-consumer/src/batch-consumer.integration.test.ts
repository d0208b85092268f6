import { randomUUID } from 'node:crypto'
import { createTopic, eventually, produce, readTopic, uniqueName } from '@kafka-pattern/test-kit'
import { deadLetterTopic } from '@kafka-pattern/dead-letter'
import { Ledger } from '@kafka-pattern/test-kit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NotRetryableError, RecordFailed } from './handler.ts'
import { bufferLimit } from './partition-buffer.ts'
import { allowMessageBytes, committedOffsets, startInstance } from './test-instance.ts'
import type { BatchHandler } from './handler.ts'
import type { TestRecord } from '@kafka-pattern/test-kit'

function created(name: string, id = randomUUID()): string {
  return JSON.stringify({ id, event: 'create', level: 1, name })
}

function recordsFor(topic: string, names: string[], partition = 0): TestRecord[] {
  return names.map(name => ({ topic, partition, key: name, value: created(name) }))
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** A handler that remembers what it stored, in order, and calls `check` before it stores. */
function storing(check: (names: string[]) => Promise<void> | void = () => {}) {
  const stored: string[] = []
  const batches: string[][] = []
  const handle: BatchHandler = async records => {
    const names = records.map(each => each.value.name)
    await check(names)
    batches.push(names)
    stored.push(...names)
  }
  return { stored, batches, handle }
}

async function topicAndGroup(partitions = 1) {
  const topic = await createTopic({ partitions, prefix: 'batch' })
  const group = uniqueName('batch-group')
  await createTopic({ topic: deadLetterTopic(topic, group) })
  return { topic, group }
}

describe('a batch closes', () => {
  test('at BATCH_SIZE, collected across fetches', async () => {
    const { topic, group } = await topicAndGroup()
    const { batches, handle } = storing()
    const instance = await startInstance({
      topics: [topic],
      group,
      handle,
      batchSize: 3,
      batchTimeoutMs: 600_000,
    })
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      await produce(recordsFor(topic, [name]))
      await eventually(() => expect(instance.fetches.get(`${topic}/0`)).toBe(index + 1), {
        what: 'its own fetch',
      })
    }
    await eventually(() => expect(batches).toEqual([['a', 'b', 'c']]), { what: 'the batch' })
    await eventually(() => expect(instance.commits).toEqual([`${topic}/0 3`]), { what: 'its commit' })
  })

  test('at BATCH_TIMEOUT_MS, if it is not full by then', async () => {
    const { topic, group } = await topicAndGroup()
    const { batches, handle } = storing()
    const instance = await startInstance({
      topics: [topic],
      group,
      handle,
      batchSize: 5,
      batchTimeoutMs: 1_000,
    })
    const begun = performance.now()
    await produce(recordsFor(topic, numbered('r', 7)))
    await eventually(() => expect(batches).toEqual([numbered('r', 5), ['r5', 'r6']]), {
      what: 'both batches',
    })
    expect(performance.now() - begun).toBeGreaterThanOrEqual(990)
    await eventually(() => expect(instance.commits).toEqual([`${topic}/0 5`, `${topic}/0 7`]), {
      what: 'the commits',
    })
  })
})

test('large records: batches close at BATCH_BYTES, and a partition that hangs holds three of them, not the backlog', async () => {
  const { topic, group } = await topicAndGroup(2)
  const batchBytes = 1024 * 1024
  const count = 40
  // A quarter of a batch each, in blanks around the JSON.
  const large = numbered('large', count).map(name => created(name) + ' '.repeat(batchBytes / 4))
  for (const value of large) await produce([{ topic, partition: 0, key: null, value }])
  const gate = Promise.withResolvers<void>()
  onTestFinished(() => gate.resolve())
  const { stored, batches, handle } = storing(async names => {
    if (names.some(name => name.startsWith('large'))) await gate.promise
  })
  const fetchedLarge = () =>
    instance.counted.fetched - stored.filter(name => !name.startsWith('large')).length
  const instance = await startInstance({ topics: [topic], group, handle, batchSize: 500, batchBytes })

  await eventually(() => expect(fetchedLarge()).toBeGreaterThanOrEqual(9), { what: 'a full buffer' })
  // Each of them comes with a fetch of its own, which would bring more of the other partition, too.
  for (const small of ['a', 'b', 'c']) {
    await produce(recordsFor(topic, [small], 1))
    await eventually(() => expect(stored).toContain(small), { what: small })
  }
  // One batch in process, two that wait, and what one fetch may overshoot: it brings 512 KiB of a partition, but no less than a record.
  expect(fetchedLarge()).toBeLessThanOrEqual(12 + 4)

  gate.resolve()
  await eventually(
    async () => expect(await committedOffsets(group, topic)).toEqual({ 0: String(count), 1: '3' }),
    {
      what: 'the rest, once the handler goes on',
    },
  )
  const sizes = batches.filter(([name]) => name?.startsWith('large')).map(names => names.length)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count)
  expect(Math.max(...sizes)).toBe(4)
})

describe('wrong records', () => {
  test('not JSON, not the schema, null: dead letters, the rest of the batch done and committed', async () => {
    const { topic, group } = await topicAndGroup()
    const { stored, handle } = storing()
    await produce([
      ...recordsFor(topic, ['a']),
      { topic, key: 'k1', value: '{"id": unreadable', headers: { 'correlation-id': 'c1' } },
      { topic, key: 'k2', value: '{"id":"not a uuid","event":"create","level":101,"name":""}' },
      { topic, key: 'k3', value: null },
      ...recordsFor(topic, ['b']),
    ])
    await startInstance({ topics: [topic], group, handle })
    const dead = await readTopic(deadLetterTopic(topic, group), { count: 3 })
    expect(dead.map(each => [each.key?.toString(), each.value?.toString() ?? null])).toEqual([
      ['k1', '{"id": unreadable'],
      ['k2', '{"id":"not a uuid","event":"create","level":101,"name":""}'],
      ['k3', null],
    ])
    expect(dead.map(each => String(each.headers['dlt.category']))).toEqual(Array(3).fill('not retryable'))
    expect(dead.map(each => String(each.headers['dlt.attempts']))).toEqual(Array(3).fill('1'))
    expect(dead.map(each => String(each.headers['dlt.offset']))).toEqual(['1', '2', '3'])
    expect(dead.map(each => String(each.headers['dlt.error-class']))).toEqual(
      Array(3).fill('UnreadableValueError'),
    )
    expect(String(dead[0]?.headers['correlation-id'])).toBe('c1')
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '5' }), {
      what: 'the commit',
    })
    expect(stored).toEqual(['a', 'b'])
  })

  test('a record that the handler rejects is dead-lettered at once, the rest of its batch done in order', async () => {
    const { topic, group } = await topicAndGroup()
    const { stored, handle } = storing(names => {
      if (names.includes('r3')) throw new NotRetryableError('r3 is forbidden')
    })
    await produce(recordsFor(topic, numbered('r', 5)))
    const instance = await startInstance({ topics: [topic], group, handle })
    const [dead] = await readTopic(deadLetterTopic(topic, group), { count: 1 })
    expect(dead?.key?.toString()).toBe('r3')
    expect(String(dead?.headers['dlt.category'])).toBe('not retryable')
    expect(String(dead?.headers['dlt.error-message'])).toBe('r3 is forbidden')
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '5' }), {
      what: 'the commit',
    })
    expect(stored).toEqual(['r0', 'r1', 'r2', 'r4'])
    expect(instance.retries).toEqual([])
  })

  test('a handler that says which record failed gets those before it not again', async () => {
    const { topic, group } = await topicAndGroup()
    const stored: string[] = []
    await produce(recordsFor(topic, numbered('r', 5)))
    await startInstance({
      topics: [topic],
      group,
      handle: records => {
        for (const [index, { value }] of records.entries()) {
          if (value.name === 'r2') throw new RecordFailed(index, new NotRetryableError('no'))
          stored.push(value.name)
        }
      },
    })
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '5' }), {
      what: 'the commit',
    })
    expect(stored).toEqual(['r0', 'r1', 'r3', 'r4'])
  })
})

describe('a downstream that fails', () => {
  test('for ever: attempts as set, then a dead letter; meanwhile other partitions go on', async () => {
    const { topic, group } = await topicAndGroup(2)
    let attempts = 0
    const otherAtLastAttempt: number[] = []
    const { stored, handle } = storing(names => {
      if (!names.includes('bad')) return
      if (names.length === 1) {
        attempts++
        otherAtLastAttempt.push(stored.filter(name => name.startsWith('other')).length)
      }
      throw new Error('timed out')
    })
    await produce([
      ...recordsFor(topic, ['a', 'bad', 'c'], 0),
      ...recordsFor(topic, numbered('other', 100), 1),
    ])
    await startInstance({
      topics: [topic],
      group,
      handle,
      // Time enough for the twenty commits of the other partition, on a slow disk too.
      retryPolicy: { kind: 'fixed', delayMs: 5_000, maxAttempts: 4 },
    })
    const [dead] = await readTopic(deadLetterTopic(topic, group), { count: 1 })
    expect(dead?.key?.toString()).toBe('bad')
    expect(String(dead?.headers['dlt.category'])).toBe('retries exhausted')
    expect(String(dead?.headers['dlt.attempts'])).toBe('4')
    expect(String(dead?.headers['dlt.error-message'])).toBe('timed out')
    expect(attempts).toBe(4)
    // The other partition was through before this one was.
    expect(otherAtLastAttempt.at(-1)).toBe(100)
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '3', 1: '100' }), {
      what: 'the commits',
    })
    expect(stored.filter(name => !name.startsWith('other'))).toEqual(['a', 'c'])
  })

  test('for a while: the record is retried until it works, nothing of its partition overtakes it', async () => {
    const { topic, group } = await topicAndGroup()
    let failures = 3
    const { stored, handle } = storing(names => {
      if (names.includes('r1') && (names.length > 1 || failures-- > 0)) throw new Error('busy')
    })
    await produce(recordsFor(topic, numbered('r', 10)))
    const instance = await startInstance({
      topics: [topic],
      group,
      handle,
      retryPolicy: {
        kind: 'exponential',
        baseMs: 20,
        factor: 2,
        capMs: 100,
        jitter: 'full',
        maxAttempts: 10,
      },
    })
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '10' }), {
      what: 'the commit',
    })
    expect(stored).toEqual(numbered('r', 10))
    expect(instance.retries).toEqual(['1', '1', '1'])
  })
})

test('a dead letter that is refused stops its partition: nothing skipped, nothing committed, until it is accepted', async () => {
  const topic = await createTopic({ partitions: 2, prefix: 'batch' })
  const group = uniqueName('batch-group')
  const dlt = await createTopic({
    topic: deadLetterTopic(topic, group),
    configs: { 'max.message.bytes': '100' },
  })
  const { stored, handle } = storing(names => {
    if (names.includes('r2')) throw new NotRetryableError('no')
  })
  await produce([...recordsFor(topic, numbered('r', 10), 0), ...recordsFor(topic, numbered('other', 10), 1)])
  const instance = await startInstance({ topics: [topic], group, handle })

  await eventually(() => expect(instance.refusals()).toBeGreaterThanOrEqual(3), {
    what: 'three refused publishes',
  })
  await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '-1', 1: '10' }), {
    what: 'the other partition to go on',
  })
  expect(instance.deadLetters.refused).toBe(true)
  expect(stored.filter(name => name.startsWith('r'))).toEqual(['r0', 'r1'])
  expect(await readTopic(dlt)).toEqual([])

  await allowMessageBytes(dlt, 1_048_588)
  await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '10', 1: '10' }), {
    what: 'the partition to go on',
  })
  expect((await readTopic(dlt)).map(each => each.key?.toString())).toEqual(['r2'])
  expect(stored.filter(name => name.startsWith('r'))).toEqual(numbered('r', 10).filter(name => name !== 'r2'))
  expect(instance.deadLetters.refused).toBe(false)
})

describe('partitions', () => {
  test('a handler that hangs on one stalls no other, and only a bounded part of it is held', async () => {
    const { topic, group } = await topicAndGroup(2)
    const gate = Promise.withResolvers<void>()
    onTestFinished(() => gate.resolve())
    const { stored, handle } = storing(async names => {
      if (names.some(name => name.startsWith('slow'))) await gate.promise
    })
    const slow = numbered('slow', 30_000)
    // In pieces: a batch that is larger than the topic's max.message.bytes is refused.
    for (let from = 0; from < slow.length; from += 5_000) {
      await produce(recordsFor(topic, slow.slice(from, from + 5_000), 0))
    }
    await produce(recordsFor(topic, numbered('a', 100), 1))
    const batchSize = 500
    const instance = await startInstance({ topics: [topic], group, handle, batchSize })
    for (const more of ['b', 'c', 'd']) {
      await produce(recordsFor(topic, numbered(more, 100), 1))
      await eventually(() => expect(stored.filter(name => name.startsWith(more))).toHaveLength(100), {
        what: more,
      })
    }
    expect(stored.filter(name => name.startsWith('slow'))).toEqual([])
    await eventually(() => expect(instance.counted.fetched).toBeGreaterThanOrEqual(bufferLimit(batchSize)), {
      what: 'a full buffer',
    })
    // One fetch of at most 1 MiB may overshoot the limit; it held all 30,000 records if nothing paused the partition.
    expect(instance.counted.fetched).toBeLessThan(bufferLimit(batchSize) + 13_000)
    gate.resolve()
    await eventually(
      async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '30000', 1: '400' }),
      {
        what: 'the rest, once the handler goes on',
      },
    )
    expect(stored.filter(name => name.startsWith('slow'))).toEqual(slow)
  })
})

describe('membership', () => {
  test('a batch that takes longer than the session timeout costs neither the membership nor a record', async () => {
    const { topic, group } = await topicAndGroup()
    const sessionTimeoutMs = 15_000
    const { stored, handle } = storing(
      names => new Promise(resolve => setTimeout(resolve, names.includes('r0') ? sessionTimeoutMs * 1.5 : 0)),
    )
    await produce(recordsFor(topic, numbered('r', 10)))
    const instance = await startInstance({ topics: [topic], group, handle, sessionTimeoutMs })
    await eventually(() => expect(instance.commits).toEqual([`${topic}/0 5`, `${topic}/0 10`]), {
      what: 'both commits',
    })
    expect(stored).toEqual(numbered('r', 10))
    expect(instance.assignments).toEqual([[`${topic}/0`]])
  })

  test('a static member that restarts gets its partitions back, and the others notice nothing', async () => {
    const { topic, group } = await topicAndGroup(2)
    const first = storing()
    const second = storing()
    const start = (handle: BatchHandler, groupInstanceId: string) =>
      startInstance({ topics: [topic], group, handle, groupInstanceId, batchSize: 1 })
    const stays = await start(first.handle, 'stays')
    const restarts = await start(second.handle, 'restarts')
    await eventually(() => expect(stays.assignments).toHaveLength(2), {
      what: 'both to share the partitions',
    })
    const partitions = restarts.assignments.at(-1)
    expect(partitions).toHaveLength(1)

    await restarts.stop()
    const again = await start(second.handle, 'restarts')
    expect(again.assignments).toEqual([partitions])
    await produce([...recordsFor(topic, ['a'], 0), ...recordsFor(topic, ['b'], 1)])
    await eventually(() => expect([...first.stored, ...second.stored].toSorted()).toEqual(['a', 'b']), {
      what: 'both records',
    })
    expect(stays.assignments).toHaveLength(2)
  })
})

describe('giving partitions up', () => {
  test('on a rebalance the batch in process is finished and committed, the rest goes to its next owner, once', async () => {
    const { topic, group } = await topicAndGroup(2)
    const gate = Promise.withResolvers<void>()
    onTestFinished(() => gate.resolve())
    const old = storing(names => (names.some(name => /^[ab]0$/.test(name)) ? gate.promise : undefined))
    await produce([...recordsFor(topic, numbered('a', 20), 0), ...recordsFor(topic, numbered('b', 20), 1)])
    const leaving = await startInstance({ topics: [topic], group, handle: old.handle })
    await eventually(() => expect(leaving.counted.begun).toBe(10), {
      what: 'a batch of each partition in process',
    })

    const next = storing()
    const joins = startInstance({ topics: [topic], group, handle: next.handle })
    await eventually(() => expect(leaving.revoked()).toBe(true), { what: 'the rebalance' })
    expect(leaving.commits).toEqual([])
    gate.resolve()
    await joins
    await eventually(async () => expect(await committedOffsets(group, topic)).toEqual({ 0: '20', 1: '20' }), {
      what: 'all to be committed',
    })
    expect(leaving.commits.slice(0, 2).toSorted()).toEqual([`${topic}/0 5`, `${topic}/1 5`])
    expect([...old.stored, ...next.stored].toSorted()).toEqual(
      [...numbered('a', 20), ...numbered('b', 20)].toSorted(),
    )
    expect(next.stored.length).toBeGreaterThan(0)
  })

  test('a batch that does not finish within the limit is abandoned: what it does later is never committed', async () => {
    const { topic, group } = await topicAndGroup(1)
    const gate = Promise.withResolvers<void>()
    onTestFinished(() => gate.resolve())
    const late = storing(() => gate.promise)
    await produce(recordsFor(topic, numbered('r', 5)))
    const leaving = await startInstance({ topics: [topic], group, handle: late.handle, drainTimeoutMs: 300 })
    await eventually(() => expect(leaving.counted.begun).toBe(5), { what: 'the batch in process' })
    await leaving.stop()
    expect(await committedOffsets(group, topic)).toEqual({ 0: '-1' })
    gate.resolve()
    await eventually(() => expect(late.stored).toHaveLength(5), { what: 'the late result' })
    expect(leaving.commits).toEqual([])

    const next = storing()
    await startInstance({ topics: [topic], group, handle: next.handle })
    await eventually(() => expect(next.stored).toEqual(numbered('r', 5)), {
      what: 'the next owner to handle the batch',
    })
  })

  test('stopping commits exactly what was done: a record waiting for its retry and those after it stay open', async () => {
    const { topic, group } = await topicAndGroup(1)
    const { stored, handle } = storing(names => {
      if (names.includes('r3')) throw new Error('busy')
    })
    await produce(recordsFor(topic, numbered('r', 10)))
    const leaving = await startInstance({
      topics: [topic],
      group,
      handle,
      retryPolicy: { kind: 'fixed', delayMs: 600_000, maxAttempts: 5 },
    })
    await eventually(() => expect(leaving.retries).toEqual(['3']), { what: 'the wait for the retry' })
    await leaving.stop()
    expect(stored).toEqual(['r0', 'r1', 'r2'])
    expect(await committedOffsets(group, topic)).toEqual({ 0: '3' })

    const next = storing()
    await startInstance({ topics: [topic], group, handle: next.handle })
    await eventually(() => expect(next.stored).toEqual(numbered('r', 10).slice(3)), {
      what: 'the open records, and only those',
    })
  })
})

test('instances that come and go under load: no record lost, none twice, every key in order', async () => {
  const { topic, group } = await topicAndGroup(4)
  const ledger = new Ledger()
  const keys = numbered('key', 16)
  const producing = new AbortController()
  let handled = 0
  const handleAs =
    (instance: string): BatchHandler =>
    async (records, { partition }) => {
      // Long enough that every rebalance finds batches in process.
      await new Promise(resolve => setTimeout(resolve, 20))
      handled += records.length
      for (const { record, value } of records) {
        ledger.seen(String(record.key), Number(value.name), `${partition}/${record.offset} by ${instance}`)
      }
    }
  const start = (instance: string) =>
    startInstance({ topics: [topic], group, handle: handleAs(instance), batchSize: 10, batchTimeoutMs: 50 })

  const load = (async () => {
    for (let sequence = 1; !producing.signal.aborted; sequence++) {
      // More than that would outlast the waits below where each commit takes long.
      await eventually(() => expect(sequence * keys.length - handled).toBeLessThan(1_000), {
        what: 'the load to be handled',
      })
      await produce(keys.map(key => ({ topic, key, value: created(String(sequence)) })))
      for (const key of keys) ledger.sent(key, sequence)
    }
  })()
  onTestFinished(() => producing.abort())

  const seenBy = (instance: string) => async () => {
    const before = ledger.report().total.seen
    await eventually(() => expect(ledger.report().total.seen).toBeGreaterThan(before + 300), {
      what: `work by ${instance}`,
    })
  }
  const first = await start('first')
  await seenBy('first')()
  const second = await start('second')
  await eventually(() => expect(first.assignments.at(-1)).toHaveLength(2), {
    what: 'the second to get its share',
  })
  const third = await start('third')
  const shares = () => [first, second, third].map(({ assignments }) => assignments.at(-1)?.length ?? 0)
  await eventually(() => expect(shares().toSorted((a, b) => a - b)).toEqual([1, 1, 2]), {
    what: 'the third to get its share',
  })
  await seenBy('all three')()
  await first.stop()
  await second.stop()
  await eventually(() => expect(third.assignments.at(-1)).toHaveLength(4), { what: 'the third to take over' })
  await seenBy('third')()

  producing.abort()
  await load
  await eventually(() => expect(ledger.report().total.lost).toBe(0), { what: 'every record to be handled' })
  const { faults } = ledger.report()
  expect(faults).toEqual([])
}, 360_000)
