import { setTimeout } from 'node:timers/promises'
import {
  addPartitions,
  connectTo,
  createTopic,
  deleteTopic,
  eventually,
  produce,
  readTopic,
  startFaultProxy,
  testKafka,
  uniqueName,
  withAdmin,
} from '@kafka-pattern/test-kit'
import type { TestKafka } from '@kafka-pattern/test-kit'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { HandlerFailedError, TopicMissingError } from './consumer-failure.ts'
import { createGroupConsumer } from './group-consumer.ts'
import type { FetchedRecords, GroupConsumerHandlers, GroupConsumerOptions } from './group-consumer.ts'
import { createKafka } from './kafka.ts'

/** A consumer that keeps what it was given, and is stopped at the end of the test. */
function collect(
  options: Partial<GroupConsumerOptions> & { topics: string[] },
  { kafka, logger }: Pick<TestKafka, 'kafka' | 'logger'> = testKafka(),
) {
  const consumer = createGroupConsumer(kafka, {
    groupId: uniqueName('group'),
    from: 'earliest',
    logger,
    ...options,
  })
  const fetched: FetchedRecords[] = []
  const assignments: { partitions: number[]; assignment: number }[] = []
  const fatal: Error[] = []
  consumer.onFatal(error => fatal.push(error))
  onTestFinished(() => consumer.stop())
  return {
    consumer,
    fetched,
    assignments,
    fatal,
    values: () => fetched.flatMap(({ records }) => records.map(({ value }) => String(value))),
    assigned: () => assignments.at(-1)?.partitions ?? [],
    start: (handlers: Partial<GroupConsumerHandlers> = {}) =>
      consumer.start({
        onRecords: some => void fetched.push(some),
        onAssigned: (partitions, assignment) => {
          assignments.push({
            partitions: partitions.map(({ partition }) => partition).toSorted((a, b) => a - b),
            assignment,
          })
        },
        ...handlers,
      }),
  }
}

async function produceValues(topic: string, values: string[], partition = 0): Promise<void> {
  await produce(values.map(value => ({ topic, partition, key: value, value })))
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

async function committedOffset(groupId: string, topic: string, partition = 0): Promise<string | undefined> {
  return withAdmin(testKafka(), async admin => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return found?.partitions.find(each => each.partition === partition)?.offset
  })
}

async function membersOf(groupId: string): Promise<string[]> {
  const { groups } = await withAdmin(testKafka(), admin => admin.describeGroups([groupId]))
  return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId))
}

/** Makes the members of a group leave it without their knowledge. */
async function removeMembers(groupId: string): Promise<void> {
  const cluster = testKafka().kafka.cluster()
  await cluster.connect()
  try {
    await cluster.refreshMetadata()
    const coordinator = await cluster.findGroupCoordinator({ groupId })
    for (const memberId of await membersOf(groupId)) await coordinator.leaveGroup({ groupId, memberId })
  } finally {
    await cluster.disconnect()
  }
}

test('goes on behind the committed offset after a restart', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  await produceValues(topic, numbered('a', 10))

  const first = collect({ groupId, topics: [topic] })
  await first.start()
  await eventually(() => expect(first.values()).toHaveLength(10), { what: 'ten records' })
  expect(await first.consumer.commit(topic, 0, '4', first.fetched[0]!.assignment)).toBe('committed')
  await first.consumer.stop()
  expect(await committedOffset(groupId, topic)).toBe('4')

  const second = collect({ groupId, topics: [topic] })
  await second.start()
  await eventually(() => expect(second.values()).toEqual(numbered('a', 10).slice(4)), {
    what: 'the other six',
  })
})

test('records of aborted transactions are not delivered, and what ends a transaction is no lag', async () => {
  const topic = await createTopic()
  const producer = testKafka().kafka.producer({
    transactionalId: uniqueName('transaction'),
    maxInFlightRequests: 1,
  })
  await producer.connect()
  onTestFinished(() => producer.disconnect())
  for (const [value, end] of [
    ['a', 'commit'],
    ['b', 'abort'],
    ['c', 'commit'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value }] })
    await transaction[end]()
  }
  // A transaction is committed before the marker is in its partition that says so.
  const high = '6'
  await eventually(
    async () => {
      const [ends] = await withAdmin(testKafka(), admin => admin.fetchTopicOffsets(topic))
      expect(ends?.high).toBe(high)
    },
    { what: 'three records and the end of three transactions' },
  )
  const { start, values, fetched } = collect({ topics: [topic] })
  await start()
  await eventually(() => expect(values()).toEqual(['a', 'c']), { what: 'the committed records' })
  expect(fetched.at(-1)?.nextOffset).toBe(high)
})

test('commits nothing by itself', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  await produceValues(topic, numbered('a', 3))
  const reader = collect({ groupId, topics: [topic] })
  await reader.start()
  await eventually(() => expect(reader.values()).toHaveLength(3), { what: 'three records' })
  await reader.consumer.stop()
  expect(await committedOffset(groupId, topic)).toBe('-1')
})

test('moves partitions only after onRevoked has finished, with its commit in place', async () => {
  const topic = await createTopic({ partitions: 2 })
  const groupId = uniqueName('group')
  for (const partition of [0, 1]) await produceValues(topic, numbered(`p${partition}`, 10), partition)

  const finishWork = Promise.withResolvers<void>()
  const events: string[] = []
  const first = collect({ groupId, topics: [topic] })
  await first.start({
    onRevoked: async () => {
      if (events.length > 0) return
      events.push('revoke begins')
      await finishWork.promise
      const { assignment } = first.fetched[0]!
      for (const partition of [0, 1]) {
        expect(await first.consumer.commit(topic, partition, '7', assignment)).toBe('committed')
      }
      events.push('revoke ends')
    },
  })
  await eventually(() => expect(first.values()).toHaveLength(20), { what: 'all records at the first member' })

  const second = collect({ groupId, topics: [topic] })
  const secondStarted = second.start({
    onRecords: some => {
      events.push('the second member gets records')
      second.fetched.push(some)
    },
  })
  await eventually(() => expect(events).toEqual(['revoke begins']), { what: 'the revocation' })
  expect(second.assignments).toEqual([])
  finishWork.resolve()
  await secondStarted

  await eventually(() => expect(second.values()).toHaveLength(3), { what: 'three records behind the commit' })
  expect(events).toEqual(['revoke begins', 'revoke ends', 'the second member gets records'])
  const [moved] = second.assigned()
  expect(second.values()).toEqual(numbered(`p${moved}`, 10).slice(7))
  // What the first member keeps comes again from where it was committed: it dropped the rest.
  await eventually(() => expect(first.values().slice(20)).toEqual(numbered(`p${1 - moved!}`, 10).slice(7)), {
    what: 'the uncommitted rest of the partition that stayed',
  })
})

test('refuses commits under an assignment that is over, and for partitions it does not own', async () => {
  const topic = await createTopic({ partitions: 2 })
  const groupId = uniqueName('group')
  const first = collect({ groupId, topics: [topic] })
  await first.start()
  const old = first.assignments[0]!.assignment
  expect(await first.consumer.commit(topic, 7, '1', old)).toBe('no longer owned')

  const second = collect({ groupId, topics: [topic] })
  await second.start()
  await eventually(() => expect(first.assignments).toHaveLength(2), { what: 'the second assignment' })
  const current = first.assignments[1]!.assignment
  expect(current).toBeGreaterThan(old)

  const kept = first.assigned()[0]!
  expect(await first.consumer.commit(topic, kept, '1', old)).toBe('no longer owned')
  expect(await first.consumer.commit(topic, 1 - kept, '1', current)).toBe('no longer owned')
  expect(await first.consumer.commit(topic, kept, '1', current)).toBe('committed')
  expect(await committedOffset(groupId, topic, 1 - kept)).toBe('-1')
})

test('a commit that the broker refuses is no longer owned, and moves nothing', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const reader = collect({ groupId, topics: [topic] })
  await reader.start()
  const { assignment } = reader.assignments[0]!
  // Thrown out behind its back, as after a session timeout: until its next heartbeat it believes to be a member.
  await removeMembers(groupId)
  expect(await reader.consumer.commit(topic, 0, '1', assignment)).toBe('no longer owned')
  expect(await committedOffset(groupId, topic)).toBe('-1')
  await eventually(() => expect(reader.assignments).toHaveLength(2), { what: 'it to join again' })
  expect(reader.fatal).toEqual([])
})

test('a member whose onRevoked takes longer than the rebalance timeout does not hold the group up', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const first = collect({ groupId, topics: [topic], rebalanceTimeoutMs: 2_000, sessionTimeoutMs: 6_000 })
  const endless = Promise.withResolvers<void>()
  const outcome = Promise.withResolvers<string>()
  await first.start({
    onRevoked: async () => {
      await endless.promise
      outcome.resolve(await first.consumer.commit(topic, 0, '1', 1))
    },
  })
  await collect({ groupId, topics: [topic] }).start()
  endless.resolve()
  expect(await outcome.promise).toBe('no longer owned')
  expect(await committedOffset(groupId, topic)).toBe('-1')
})

test('stays a member while paused, or while onRecords is awaited, for longer than the session timeout', async () => {
  const topic = await createTopic()
  const slow = Promise.withResolvers<void>()
  const sessionTimeoutMs = 15_000
  const paused = collect({ topics: [topic], sessionTimeoutMs })
  const awaited = collect({ topics: [topic], sessionTimeoutMs })
  await paused.start({
    onRecords: some => {
      paused.fetched.push(some)
      paused.consumer.pause({ topic, partition: 0 })
    },
  })
  await awaited.start({
    onRecords: async some => {
      awaited.fetched.push(some)
      await slow.promise
    },
  })
  await produceValues(topic, ['a'])
  for (const { values } of [paused, awaited]) {
    await eventually(() => expect(values()).toEqual(['a']), { what: 'the first record' })
  }
  await produceValues(topic, ['b'])

  const begunAt = performance.now()
  while (performance.now() - begunAt < sessionTimeoutMs + 3_000) {
    for (const { values } of [paused, awaited]) expect(values()).toEqual(['a'])
    await setTimeout(200)
  }
  for (const { consumer } of [paused, awaited]) {
    await eventually(() => expect(consumer.joined).toBe(true), { what: 'the membership' })
  }

  slow.resolve()
  await eventually(() => expect(awaited.values()).toEqual(['a', 'b']), {
    what: 'the next record, nothing twice',
  })
  paused.consumer.resume({ topic, partition: 0 })
  await eventually(() => expect(paused.values()).toEqual(['a', 'b']), { what: 'the next record' })
  // Who is thrown out joins again.
  for (const { assignments } of [paused, awaited]) expect(assignments).toHaveLength(1)
})

test('a resumed partition does not wait for the fetch of the others to run out', async () => {
  const topic = await createTopic({ partitions: 2 })
  const maxWaitMs = 60_000
  const reader = collect({ topics: [topic], maxWaitMs, sessionTimeoutMs: 3 * maxWaitMs })
  await produceValues(topic, ['a'])
  await reader.start({
    onRecords: some => {
      reader.fetched.push(some)
      reader.consumer.pause({ topic, partition: 0 })
    },
  })
  await eventually(() => expect(reader.values()).toEqual(['a']), { what: 'the first record' })
  await produceValues(topic, ['b'])
  reader.consumer.resume({ topic, partition: 0 })
  await eventually(() => expect(reader.values()).toEqual(['a', 'b']), {
    what: 'the next record',
    timeoutMs: maxWaitMs / 2,
  })
})

test('a stop while the others are waited for leaves the group, and does not come back', async () => {
  const topic = await createTopic({ partitions: 3 })
  const groupId = uniqueName('group')
  const busy = collect({ groupId, topics: [topic] })
  let work: Promise<void> | undefined
  await busy.start({ onRevoked: () => work })
  const log: string[] = []
  const logger = pino({ level: 'trace' }, { write: line => void log.push(line) })
  const logged = (what: string) => log.filter(line => line.includes(what))
  const stopped = collect(
    { groupId, topics: [topic] },
    { kafka: createKafka(testKafka().settings, logger), logger },
  )
  const leaving = collect({ groupId, topics: [topic] })
  for (const member of [stopped, leaving]) await member.start()
  await eventually(
    () => {
      for (const { assigned } of [busy, stopped, leaving]) expect(assigned()).toHaveLength(1)
    },
    { what: 'a partition each' },
  )

  const release = Promise.withResolvers<void>()
  work = release.promise
  onTestFinished(() => release.resolve())
  const joins = logged('Request JoinGroup').length
  await leaving.consumer.stop()
  await eventually(() => expect(logged('Request JoinGroup').length).toBeGreaterThan(joins), {
    what: 'a join that the broker does not answer before the busy member joins, too',
  })
  await stopped.consumer.stop()
  expect(await membersOf(groupId)).toHaveLength(1)

  await eventually(() => expect(logged('"msg":"Stopped"')).not.toEqual([]), {
    what: 'kafkajs to end',
    // A join under a new member id would be answered after the rebalance timeout, 60 s.
    timeoutMs: 30_000,
  })
  const before = busy.assignments.length
  release.resolve()
  await eventually(() => expect(busy.assignments.length).toBeGreaterThan(before), {
    what: 'the next assignment',
  })
  expect(busy.assigned()).toEqual([0, 1, 2])
})

test('a stop leaves the group also when onRecords does not end', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const reader = collect({ groupId, topics: [topic] })
  const endless = Promise.withResolvers<void>()
  onTestFinished(() => endless.resolve())
  await reader.start({
    onRecords: async some => {
      reader.fetched.push(some)
      await endless.promise
    },
  })
  await produceValues(topic, ['a'])
  await eventually(() => expect(reader.values()).toEqual(['a']), { what: 'a record in hand' })
  await reader.consumer.stop()
  expect(await membersOf(groupId)).toEqual([])
})

test('a stop between two sessions leaves the group, when no broker could be told at the end of the first', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
  const pauses: number[] = []
  const logger = pino(
    { level: 'info' },
    {
      write(line) {
        const { delayMs } = JSON.parse(line)
        if (typeof delayMs === 'number') pauses.push(delayMs)
      },
    },
  )
  const { kafka } = connectTo([proxy.address])
  const lonely = collect({ groupId, topics: [topic], sessionTimeoutMs: 180_000 }, { kafka, logger })
  await lonely.start()
  const members = await membersOf(groupId)
  expect(members).toHaveLength(1)

  await proxy.refuse()
  await eventually(() => expect(pauses).not.toEqual([]), { what: 'the end of its session' })
  expect(await membersOf(groupId)).toEqual(members)
  const before = pauses.length
  await eventually(() => expect(pauses.length).toBeGreaterThan(before), { what: 'the next pause' })
  await proxy.restore()
  await lonely.consumer.stop()
  expect(await membersOf(groupId)).toEqual([])
})

test.each(['a stop', 'a handler that throws'])(
  '%s leaves the group also when the broker does not hear kafkajs leave',
  async end => {
    const topic = await createTopic()
    const groupId = uniqueName('group')
    const proxy = await startFaultProxy({ target: testKafka().brokers[0]! })
    let isCut = false
    const logger = pino(
      { level: 'trace' },
      {
        write(line) {
          if (isCut || !line.includes('Request LeaveGroup')) return
          isCut = true
          proxy.cut()
        },
      },
    )
    const kafka = createKafka(connectTo([proxy.address]).settings, logger)
    const member = collect({ groupId, topics: [topic], sessionTimeoutMs: 180_000 }, { kafka, logger })
    await member.start({
      onRecords: () => {
        throw new Error('out of order')
      },
    })
    expect(await membersOf(groupId)).toHaveLength(1)
    const failed = new Promise<Error>(resolve => member.consumer.onFatal(resolve))
    if (end === 'a stop') await member.consumer.stop()
    else await Promise.all([failed, produceValues(topic, ['a'])])
    expect(isCut).toBe(true)
    expect(await membersOf(groupId)).toEqual([])
  },
)

test('a static member that restarts keeps its partitions and disturbs nobody', async () => {
  const topic = await createTopic({ partitions: 4 })
  const groupId = uniqueName('group')
  const [left, right] = ['left', 'right'].map(groupInstanceId =>
    collect({ groupId, groupInstanceId, topics: [topic] }),
  )
  await left!.start()
  await right!.start()
  await eventually(() => expect(left!.assigned()).toHaveLength(2), { what: 'two partitions each' })
  const before = { left: left!.assignments.length, rightPartitions: right!.assigned() }
  await right!.consumer.stop()

  const again = collect({ groupId, groupInstanceId: 'right', topics: [topic] })
  await again.start()
  expect(again.assigned()).toEqual(before.rightPartitions)
  await produceValues(topic, ['after'], before.rightPartitions[0])
  await eventually(() => expect(again.values()).toEqual(['after']), {
    what: 'a record at the restarted member',
  })
  expect(left!.assignments).toHaveLength(before.left)
})

test('a static member that restarts with one more topic reads it', async () => {
  const groupId = uniqueName('group')
  const [known, added] = [await createTopic(), await createTopic()]
  const before = collect({ groupId, groupInstanceId: 'only', topics: [known] })
  await before.start()
  await before.consumer.stop()

  const after = collect({ groupId, groupInstanceId: 'only', topics: [known, added] })
  await after.start()
  await produceValues(added, ['a'])
  await eventually(() => expect(after.values()).toEqual(['a']), { what: 'a record of the added topic' })
})

test('partitions that are added while a static member restarts are read, after one rebalance', async () => {
  const topic = await createTopic({ partitions: 2 })
  const groupId = uniqueName('group')
  const [left, right] = ['left', 'right'].map(groupInstanceId =>
    collect({ groupId, groupInstanceId, topics: [topic] }),
  )
  await left!.start()
  await right!.start()
  await eventually(() => expect(left!.assigned()).toHaveLength(1), { what: 'a partition each' })
  const before = left!.assignments.length
  await right!.consumer.stop()
  await addPartitions(topic, 4)

  const again = collect({ groupId, groupInstanceId: 'right', topics: [topic] })
  await again.start()
  await eventually(
    () => expect(new Set([...left!.assigned(), ...again.assigned()])).toEqual(new Set([0, 1, 2, 3])),
    {
      what: 'all partitions to be assigned',
    },
  )
  // What both have seen of the topic is in the name: a member that had offered the old one would have it rejoin once more.
  const { groups } = await withAdmin(testKafka(), admin => admin.describeGroups([groupId]))
  expect(groups[0]!.protocol).toMatch(/^RoundRobinAssigner:/)
  expect(left!.assignments).toHaveLength(before + 1)
})

test('shares the partitions with members that offer the plain assigner only', async () => {
  const topic = await createTopic({ partitions: 2 })
  const groupId = uniqueName('group')
  const plain = testKafka().kafka.consumer({ groupId })
  onTestFinished(() => plain.disconnect())
  const assignedToPlain: number[][] = []
  plain.on(plain.events.GROUP_JOIN, ({ payload }) => {
    assignedToPlain.push(payload.memberAssignment[topic] ?? [])
  })
  await plain.connect()
  await plain.subscribe({ topics: [topic] })
  await plain.run({ eachMessage: async () => {} })
  const member = collect({ groupId, topics: [topic] })
  await member.start()
  await eventually(
    () => expect(new Set([...(assignedToPlain.at(-1) ?? []), ...member.assigned()])).toEqual(new Set([0, 1])),
    { what: 'a partition each' },
  )
  expect(member.assigned()).toHaveLength(1)
})

test('ends in onFatal when another instance takes its group instance id', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const first = collect({ groupId, groupInstanceId: 'same', topics: [topic] })
  await first.start()
  const second = collect({ groupId, groupInstanceId: 'same', topics: [topic] })
  await second.start()
  await eventually(() => expect(first.fatal).toHaveLength(1), { what: 'the fatal error' })
  expect(first.fatal[0]!.message).toMatch(/another consumer with the same group instance id/)
  expect(first.consumer.joined).toBe(false)
  await produceValues(topic, ['for the second'])
  await eventually(() => expect(second.values()).toEqual(['for the second']), { what: 'the record' })
  expect(second.fatal).toEqual([])
})

test.each(['in memory', 'committed'] as const)(
  'from latest with positions %s: loses nothing that is produced around a rejoin',
  async positions => {
    const topic = await createTopic({ partitions: 2 })
    const groupId = uniqueName('group')
    await produceValues(topic, ['before the start'])
    const first = collect({ groupId, topics: [topic], from: 'latest', positions })
    let duringRevoke: (() => Promise<void>) | undefined
    await first.start({ onRevoked: () => duringRevoke?.() })
    // Produced right after start, before anything else was fetched.
    await produceValues(topic, ['a'])
    await eventually(() => expect(first.values()).toEqual(['a']), {
      what: 'the first record after the start',
    })

    // Produced while nobody is a member: kafkajs would begin at the end again and never see them.
    duringRevoke = async () => {
      await produceValues(topic, ['b0'], 0)
      await produceValues(topic, ['b1'], 1)
    }
    const second = collect({ groupId, topics: [topic], from: 'latest', positions })
    await second.start()
    await eventually(() => expect(first.assignments).toHaveLength(2), { what: 'the rejoin' })
    duringRevoke = undefined
    await second.consumer.stop()
    await produceValues(topic, ['c'])
    await eventually(
      () => expect(new Set([...first.values(), ...second.values()])).toEqual(new Set(['a', 'b0', 'b1', 'c'])),
      { what: 'all records since the start, and none from before it' },
    )
    expect(await committedOffset(groupId, topic)).toBe(positions === 'committed' ? '1' : '-1')
  },
)

test('from latest, a position that retention has overtaken loses nothing that is still there', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const first = collect({ groupId, topics: [topic], from: 'latest' })
  await first.start()
  await first.consumer.stop()
  expect(await committedOffset(groupId, topic)).toBe('0')
  await produceValues(topic, numbered('a', 5))
  await withAdmin(testKafka(), async admin => {
    // What follows wants to know the leaders.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  })

  // It takes them, and ends without having handled them.
  const second = collect({ groupId, topics: [topic], from: 'latest' })
  const endless = Promise.withResolvers<void>()
  onTestFinished(() => endless.resolve())
  await second.start({
    onRecords: async some => {
      second.fetched.push(some)
      await endless.promise
    },
  })
  await eventually(() => expect(second.values()).toEqual(['a-3', 'a-4']), { what: 'the oldest records' })
  await second.consumer.stop()
  expect(await committedOffset(groupId, topic)).toBe('0')

  const third = collect({ groupId, topics: [topic], from: 'latest' })
  await third.start()
  await eventually(() => expect(third.values()).toEqual(['a-3', 'a-4']), { what: 'the same records' })
})

test('in memory: a rejoin goes on behind the last record, nothing comes twice', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const reader = collect({ groupId, topics: [topic], from: 'latest', positions: 'in memory' })
  await reader.start()
  await produceValues(topic, numbered('a', 5))
  await eventually(() => expect(reader.values()).toHaveLength(5), { what: 'five records' })
  const { start, consumer } = collect({ groupId, topics: [topic], from: 'latest', positions: 'in memory' })
  await start()
  await consumer.stop()
  await eventually(
    () => {
      expect(reader.assignments.length).toBeGreaterThan(1)
      expect(reader.assigned()).toEqual([0])
    },
    { what: 'the partition back at the first member' },
  )
  await produceValues(topic, ['b'])
  await eventually(() => expect(reader.values()).toEqual([...numbered('a', 5), 'b']), {
    what: 'each record once',
  })
})

test('in memory: records in hand during a rejoin are not delivered again', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const reader = collect({ groupId, topics: [topic], positions: 'in memory' })
  const held = Promise.withResolvers<void>()
  await reader.start({
    onRecords: async some => {
      reader.fetched.push(some)
      await held.promise
    },
    onRevoked: () => held.resolve(),
  })
  await produceValues(topic, ['a'])
  await eventually(() => expect(reader.values()).toEqual(['a']), { what: 'a record in hand' })
  await removeMembers(groupId)
  await eventually(() => expect(reader.assignments).toHaveLength(2), { what: 'the rejoin' })
  await produceValues(topic, ['b'])
  await eventually(() => expect(reader.values()).toContain('b'), { what: 'the next record' })
  expect(reader.values()).toEqual(['a', 'b'])
})

test('delivers nothing before onAssigned has returned, and then from where it sought', async () => {
  const topic = await createTopic()
  await produceValues(topic, numbered('a', 5))
  const reader = collect({ topics: [topic] })
  const events: string[] = []
  await reader.start({
    onAssigned: async () => {
      // Longer than the first fetch takes: another client joins a group and reads all there is.
      await readTopic(topic)
      reader.consumer.seek({ topic, partition: 0 }, '3')
      events.push('assigned')
    },
    onRecords: some => {
      events.push('records')
      reader.fetched.push(some)
    },
  })
  await eventually(() => expect(reader.values()).toEqual(['a-3', 'a-4']), { what: 'records from offset 3' })
  expect(events[0]).toBe('assigned')
})

test('a handler that throws ends the consumer, with nothing committed', async () => {
  const topic = await createTopic()
  const reader = collect({ topics: [topic] })
  await reader.start({
    onRecords: () => {
      throw new Error('out of order')
    },
  })
  await produceValues(topic, ['a'])
  await eventually(() => expect(reader.fatal).toHaveLength(1), { what: 'the fatal error' })
  expect(reader.fatal[0]).toBeInstanceOf(HandlerFailedError)
  expect(reader.fatal[0]!.message).toBe('onRecords failed: out of order')
})

test('a topic that does not exist fails the start with its name, and is not created', async () => {
  const topic = uniqueName('missing')
  const reader = collect({ topics: [topic] })
  await expect(reader.start()).rejects.toThrow(TopicMissingError)
  expect(await withAdmin(testKafka(), admin => admin.listTopics())).not.toContain(topic)
})

test('says which of its topics was deleted while it waits for it, and goes on when it is there again', async () => {
  const [kept, deleted] = [await createTopic(), await createTopic()]
  const reasons: string[] = []
  const logger = pino(
    { level: 'info' },
    {
      write(line) {
        const { msg, reason } = JSON.parse(line)
        if (msg === 'not in the consumer group; joining again') reasons.push(reason)
      },
    },
  )
  const reader = collect({ topics: [kept, deleted] }, { kafka: testKafka().kafka, logger })
  await reader.start()
  await deleteTopic(testKafka(), deleted)
  await eventually(() => expect(reasons.at(-1)).toMatch(new RegExp(`: ${deleted}$`)), { what: 'the reason' })

  await eventually(() => createTopic({ topic: deleted }), { what: 'the topic, made anew' })
  await produceValues(kept, ['a'])
  await eventually(() => expect(reader.values()).toEqual(['a']), { what: 'a record of the other topic' })
})

test('in memory: a partition that is younger than the consumer is read from its beginning', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  const options: Parameters<typeof collect>[0] = {
    groupId,
    topics: [topic],
    from: 'latest',
    positions: 'in memory',
  }
  const reader = collect(options)
  await reader.start()
  await addPartitions(topic, 2)
  await produceValues(topic, ['young'], 1)
  // Whoever joins makes the group look at its topics again.
  const other = collect(options)
  await other.start()
  await other.consumer.stop()
  await eventually(() => expect(reader.values()).toEqual(['young']), {
    what: 'the record of the new partition',
  })
})
